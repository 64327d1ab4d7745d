import Diffusion
import Tensors
import Testing

/// The same request gives the same bits, and a picture does not know the others of its request.
@Suite struct PipelineDeterminismTests {
  private static func request(_ initial: RGBPixels?) -> GenerationRequest {
    GenerationRequest(
      prompt: "an old house", negativePrompt: "fog", width: 72, height: 64, steps: 3, guidanceScale: 2, seed: 41,
      initialImage: initial, strength: 0.7)
  }

  private static let initial = RGBPixels(
    width: 72, height: 64, bytes: (0..<3 * 72 * 64).map { UInt8(truncatingIfNeeded: $0 * 7) })

  @Test(arguments: GoldenModel.all, [false, true])
  func aRequestRepeatsToTheBit(_ model: GoldenModel, _ fromPicture: Bool) throws {
    let request = Self.request(fromPicture ? Self.initial : nil)
    let (first, second) = (TraceRecorder(), TraceRecorder())
    let pipeline = try model.pipeline(.cpu)
    let images = try pipeline.generate(request, trace: first).images.map(\.pixels)
    #expect(try pipeline.generate(request, trace: second).images.map(\.pixels) == images)
    #expect(first.entries == second.entries)
    // Another load, with another number of threads, which divide the work elsewhere.
    let other = try DiffusionPipeline.load(from: model.folder, device: CPUDevice(threads: 1))
    #expect(try other.generate(request).images.map(\.pixels) == images)
  }

  @Test(arguments: ["sdxl", "sd"], [false, true])
  func eachPictureEqualsASingleRunWithItsSeed(_ name: String, _ fromPicture: Bool) throws {
    let pipeline = try GoldenModel(name: name).pipeline(.cpu)
    var request = Self.request(fromPicture ? Self.initial : nil)
    request.imageCount = 3
    let together = try pipeline.generate(request).images
    #expect(together.map(\.seed) == [41, 42, 43])
    request.imageCount = 1
    for image in together {
      request.seed = image.seed
      #expect(try pipeline.generate(request).images.map(\.pixels) == [image.pixels])
    }
    #expect(together[0].pixels != together[1].pixels)
  }
}
