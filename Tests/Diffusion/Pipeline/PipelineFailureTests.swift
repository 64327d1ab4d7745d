import Diffusion
import Safetensors
import Tensors
import Testing

/// What must not become a picture, and what must become another one.
@Suite struct PipelineFailureTests {
  private static let request = GenerationRequest(prompt: "a red boat", steps: 2, seed: 7)

  /// A NaN is named where it first shows, and no picture comes of it.
  @Test(arguments: [
    ("text_encoder/model.safetensors", "text_model.final_layer_norm.bias", Float.nan, "the encoded prompt"),
    ("unet/diffusion_pytorch_model.safetensors", "conv_out.bias", .infinity, "the UNet's output at step 1 of 2"),
    ("vae/diffusion_pytorch_model.safetensors", "decoder.conv_out.bias", .nan, "the decoded picture"),
    ("vae/diffusion_pytorch_model.safetensors", "encoder.conv_out.bias", .nan, "the encoded initial picture"),
  ])
  func numbersThatAreNotFiniteAreAnError(_ file: String, _ tensor: String, _ value: Float, _ stage: String) throws {
    let model = try AlteredModel(of: GoldenModel(name: "sd"))
    try model.setElement(of: tensor, in: file, to: value)
    let pipeline = try DiffusionPipeline.load(from: model.folder, device: CPUDevice(threads: 1))
    var request = Self.request
    if stage.contains("initial") {
      request.initialImage = RGBPixels(width: 64, height: 64, bytes: [UInt8](repeating: 99, count: 3 * 64 * 64))
    }
    let error = #expect(throws: DiffusionError.self) { try pipeline.generate(request) }
    #expect(error?.code == .notFinite)
    #expect(error?.message.hasPrefix(stage) == true, "\(error?.message ?? "")")
  }

  /// Whoever asks to stop during a load waits for one tensor at most.
  @Test func loadingCanBeEndedAtEveryTensor() throws {
    struct Enough: Error {}
    /// The shares that were told before the load was ended.
    final class Shares {
      var all: [Double] = []
    }
    func load(endingAt last: Int) throws -> [Double] {
      let shares = Shares()
      do {
        _ = try DiffusionPipeline.load(from: GoldenModel(name: "sd").folder, device: CPUDevice(threads: 1)) { share in
          shares.all.append(share)
          if shares.all.count == last { throw Enough() }
        }
      } catch is Enough {}
      return shares.all
    }
    let whole = try load(endingAt: .max)
    #expect(whole.count > 200, "fewer than the model has tensors")
    #expect(whole == whole.sorted() && whole.first == 0 && whole.last == 1)
    for last in [1, 2, whole.count / 2, whole.count - 1] {
      #expect(try load(endingAt: last) == Array(whole.prefix(last)))
    }
  }

  /// Shows that the goldens can fail: with the wrong spacing one step starts near the clean end, and a Turbo model
  /// returns noise.
  @Test func leadingSpacingMakesAnotherPicture() throws {
    let model = try AlteredModel(of: GoldenModel(name: "sd"))
    try model.replace(
      "\"timestep_spacing\": \"trailing\"", with: "\"timestep_spacing\": \"leading\"",
      in: "scheduler/scheduler_config.json")
    let golden = try #require(try GoldenManifest.load().models["sd"]?.first { $0.name == "text_1_step" })
    let expected = try GoldenModel(name: "sd").expected(golden.name)
    let result = try DiffusionPipeline.load(from: model.folder, device: CPUDevice(threads: 1))
      .generate(golden.request(expected))
    let differences = zip(result.images[0].pixels.bytes, try expected.integers("image")).map { abs(Int($0) - Int($1)) }
    #expect(differences.max() ?? 0 > 50)
  }

  /// Components that are sound alone but not together are refused before any weight is read.
  @Test(arguments: [
    ("unet/config.json", "\"cross_attention_dim\": 40", "\"cross_attention_dim\": 32", "cross_attention_dim"),
    ("unet/config.json", "\"in_channels\": 4", "\"in_channels\": 9", "in_channels"),
  ])
  func componentsOfDifferentModelsAreRefused(_ file: String, _ old: String, _ new: String, _ key: String) throws {
    let model = try AlteredModel(of: GoldenModel(name: "sd"))
    try model.replace(old, with: new, in: file)
    let error = #expect(throws: DiffusionError.self) {
      try DiffusionPipeline.load(from: model.folder, device: CPUDevice(threads: 1))
    }
    #expect(error?.code == .checkpoint)
    #expect(error?.message.contains(key) == true, "\(error?.message ?? "")")
  }

  /// A configuration that promises more layers than the file holds.
  @Test func missingLayersAreNamed() throws {
    let model = try AlteredModel(of: GoldenModel(name: "sd"))
    try model.replace("\"num_hidden_layers\": 3", with: "\"num_hidden_layers\": 4", in: "text_encoder/config.json")
    let error = #expect(throws: CheckpointError.self) {
      try DiffusionPipeline.load(from: model.folder, device: CPUDevice(threads: 1))
    }
    #expect(error?.code == .missingTensor)
    #expect(error?.message.contains("encoder.layers.3.") == true, "\(error?.message ?? "")")
  }
}
