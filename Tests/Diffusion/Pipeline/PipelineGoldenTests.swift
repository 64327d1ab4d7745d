import Diffusion
import Safetensors
import Tensors
import Testing

/// Whole runs against diffusers, from the text to the last byte of the picture, stage by stage.
@Suite struct PipelineGoldenTests {
  struct Run: Sendable, CustomTestStringConvertible {
    let model: GoldenModel
    let golden: GoldenCase
    let device: GoldenDevice
    var testDescription: String { "\(model.name) \(golden.name) \(device.rawValue)" }
  }

  /// Every case on the product's device. The twin computes in plain loops, so it gets the small ones.
  static let runs: [Run] = {
    let models = (try? GoldenManifest.load().models) ?? [:]
    return GoldenModel.all.flatMap { model in
      (models[model.name] ?? []).flatMap { golden in
        GoldenDevice.allCases.compactMap { device in
          let isSmall = golden.steps * golden.width * golden.height <= 2 * 64 * 64 && golden.imageCount == 1
          return device == .cpu || isSmall ? Run(model: model, golden: golden, device: device) : nil
        }
      }
    }
  }()

  @Test func thereAreRunsOfEveryModel() {
    for model in GoldenModel.all {
      for device in GoldenDevice.allCases {
        #expect(Self.runs.contains { $0.model.name == model.name && $0.device == device })
      }
    }
  }

  @Test(arguments: runs)
  func everyStageAndThePictureMatch(_ run: Run) throws {
    let expected = try run.model.expected(run.golden.name)
    let trace = TraceRecorder()
    let result = try run.model.pipeline(run.device).generate(run.golden.request(expected), trace: trace)

    let stages = expected.tensors.keys.filter { $0 != "image" && $0 != "init_image" }
    #expect(stages.count >= 6)
    for stage in stages.sorted() {
      let entry = try #require(trace.entry(stage), "\(stage) was not recorded")
      let tensor = try expected.tensor(stage)
      #expect(entry.shape == tensor.shape, "\(stage)")
      guard case .float32(let found) = entry.values else { continue }
      // Timesteps are whole numbers. Noise levels are not: PyTorch's own builds differ in their last bit.
      let tolerance = stage == "timesteps" ? 0 : stage == "sigmas" ? 1e-6 : stageTolerance
      expectGolden(
        found, try expected.floats(stage), shape: tensor.shape, tolerance: tolerance, "\(run.testDescription) \(stage)")
    }

    let bytes = try expected.integers("image")
    let pixels = result.images.flatMap(\.pixels.bytes)
    try #require(pixels.count == bytes.count)
    let levels = zip(pixels, bytes).map { abs(Int($0) - Int($1)) }.max() ?? 0
    print("golden \(run.testDescription) picture: \(levels) of 255")
    // A value that lies within rounding of a half may fall to either side of it.
    #expect(levels <= 1)
    #expect(result.images.map(\.seed) == (0..<run.golden.imageCount).map { run.golden.seed &+ Int64($0) })
  }

  /// The tokens and the encodings of texts that pipelines see as strings.
  @Test(arguments: GoldenModel.all)
  func recordedTextMatches(_ model: GoldenModel) throws {
    let expected = try model.expected("text")
    let trace = TraceRecorder()
    // The first of the manifest's prompts.
    _ = try model.pipeline(.cpu).generate(GenerationRequest(prompt: "a red boat", seed: 1), trace: trace)
    for name in expected.tensors.keys {
      let entry = try #require(trace.entry(name), "\(name) was not recorded")
      switch entry.values {
      case .int64(let found): #expect(found == Array(try expected.integers(name).prefix(found.count)), "\(name)")
      case .float32(let found):
        expectGolden(
          found, Array(try expected.floats(name).prefix(found.count)), shape: entry.shape, "\(model.name) \(name)")
      }
    }
  }
}
