import Diffusion
import Tensors
import Testing

/// Multiply-accumulates counted with shapes alone, against those that PyTorch's `FlopCounterMode` counts for the same
/// networks at 72 × 64, divided by two.
@Suite struct PipelineWorkTests {
  static let counted: [(model: String, text: Int, unet: Int, decode: Int, encode: Int)] = [
    // Of SDXL's first text encoder PyTorch runs all three layers, and nobody reads the last: two thirds of 2450448.
    ("sdxl", 1_633_632 + 7_812_160, 13_829_184, 33_607_296, 19_275_264),
    ("sd", 5_858_160, 14_056_896, 25_312_896, 10_980_864),
  ]

  @Test(arguments: counted)
  func workIsWhatTheReferenceCounts(_ model: String, _ text: Int, _ unet: Int, _ decode: Int, _ encode: Int) throws {
    let work = try DiffusionPipeline.work(ofModelIn: GoldenModel(name: model).folder, width: 72, height: 64)
    #expect(work.mapValues(\.total) == [.textEncoders: text, .unet: unet, .vaeDecode: decode, .vaeEncode: encode])
    #expect(work[.vaeDecode]?.attention == 165_888)
    #expect(work[.textEncoders]?.convolution == 0)
  }
}
