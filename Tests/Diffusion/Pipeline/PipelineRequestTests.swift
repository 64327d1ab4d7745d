import Diffusion
import Tensors
import Testing

/// What a request may ask for, and what is decided for it.
@Suite struct PipelineRequestTests {
  struct Illegal: Sendable, CustomTestStringConvertible {
    let field: String
    let mention: String
    let change: @Sendable (inout GenerationRequest) -> Void
    var testDescription: String { "\(field): \(mention)" }

    init(_ field: String, _ mention: String, _ change: @escaping @Sendable (inout GenerationRequest) -> Void) {
      (self.field, self.mention, self.change) = (field, mention, change)
    }
  }

  private static func grey(_ width: Int, _ height: Int) -> RGBPixels {
    RGBPixels(width: width, height: height, bytes: [UInt8](repeating: 128, count: 3 * width * height))
  }

  static let illegal: [Illegal] = [
    Illegal("width", "width is 100; legal: multiples of 8 from 8 to 4096; nearest: 96 or 104") { $0.width = 100 },
    Illegal("width", "nearest: 8") { $0.width = 0 },
    Illegal("width", "nearest: 4096") { $0.width = 5000 },
    Illegal("height", "height is -8") { $0.height = -8 },
    Illegal("height", "nearest: 8 or 16") { $0.height = 9 },
    Illegal("steps", "is 0; legal: 1 to 50") { $0.steps = 0 },
    Illegal("steps", "is 51; legal: 1 to 50") { $0.steps = 51 },
    Illegal("guidance_scale", "legal: 0.0 to 50.0") { $0.guidanceScale = -1 },
    Illegal("guidance_scale", "is nan") { $0.guidanceScale = .nan },
    Illegal("image_count", "is 0; legal: 1 to 64") { $0.imageCount = 0 },
    Illegal("strength", "legal: 0.0 to 1.0") {
      $0.initialImage = grey(64, 64)
      $0.strength = 1.5
    },
    Illegal("strength", "less than one step") {
      $0.initialImage = grey(64, 64)
      $0.strength = 0.5
    },
    Illegal("width", "the initial picture's is 64") {
      $0.initialImage = grey(64, 64)
      $0.width = 72
    },
    Illegal("height", "is 60") { $0.initialImage = grey(64, 60) },
  ]

  @Test(arguments: illegal)
  func anIllegalRequestIsRefusedByName(_ illegal: Illegal) throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    var request = GenerationRequest(prompt: "a red boat", seed: 1)
    illegal.change(&request)
    let error = #expect(throws: DiffusionError.self) { try pipeline.validate(request) }
    #expect(error?.code == .invalidRequest)
    #expect(error?.field == illegal.field)
    #expect(error?.message.contains(illegal.mention) == true, "\(error?.message ?? "")")
    #expect(throws: DiffusionError.self) { try pipeline.generate(request) }
  }

  /// Strength belongs to an initial picture; without one it is not read.
  @Test func strengthIsIgnoredWithoutAPicture() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    try pipeline.validate(GenerationRequest(prompt: "", seed: 1, strength: 0.1))
  }

  /// Nothing asked: the model's own size; with a picture, the picture's.
  @Test func theSizeIsTheModelsOrThePictures() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    #expect(pipeline.info.defaultWidth == 64 && pipeline.info.defaultHeight == 64)
    let own = try pipeline.generate(GenerationRequest(prompt: "a cat", seed: 1)).images[0].pixels
    #expect(own.width == 64 && own.height == 64)
    let request = GenerationRequest(
      prompt: "a cat", steps: 2, seed: 1, initialImage: Self.grey(24, 40), strength: 0.5)
    let other = try pipeline.generate(request).images[0].pixels
    #expect(other.width == 24 && other.height == 40)
  }

  /// The smallest size has one latent, which every level of the UNet must pass through.
  @Test(arguments: ["sdxl", "sd"])
  func eightPixelsAreEnough(_ name: String) throws {
    let request = GenerationRequest(prompt: "a cat", width: 8, height: 8, steps: 2, guidanceScale: 2, seed: 1)
    let image = try GoldenModel(name: name).pipeline(.cpu).generate(request).images[0].pixels
    #expect(image.bytes.count == 3 * 8 * 8)
  }

  @Test func aCutPromptIsAWarning() throws {
    let pipeline = try GoldenModel(name: "sdxl").pipeline(.cpu)
    let long = String(repeating: "a red boat ", count: 30) + "sunset"
    let result = try pipeline.generate(GenerationRequest(prompt: long, seed: 1))
    // Both of SDXL's tokenizers cut at the same place; that is one thing to know, not two.
    #expect(result.warnings.count == 1)
    #expect(result.warnings[0].hasPrefix("prompt is longer than 77 tokens"))
    #expect(result.warnings[0].contains("sunset”"))
  }

  @Test func anIgnoredNegativePromptIsAWarning() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    func warnings(_ negative: String?, _ scale: Double) throws -> [String] {
      try pipeline.generate(
        GenerationRequest(prompt: "a cat", negativePrompt: negative, guidanceScale: scale, seed: 1)
      ).warnings
    }
    #expect(try warnings("fog", 0).count == 1)
    #expect(try warnings("fog", 1).count == 1)
    #expect(try warnings("fog", 1.5).isEmpty)
    #expect(try warnings(nil, 0).isEmpty)
    #expect(try warnings("", 0).isEmpty)
  }

  @Test func componentsAreTimed() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    let text = try pipeline.generate(GenerationRequest(prompt: "a cat", seed: 1))
    #expect(Set(text.timings.keys) == ["text", "unet", "vae_decode"])
    let picture = try pipeline.generate(
      GenerationRequest(prompt: "a dog", seed: 1, initialImage: Self.grey(64, 64)))
    #expect(Set(picture.timings.keys) == ["text", "vae_encode", "unet", "vae_decode"])
    #expect(picture.timings.values.allSatisfy { $0 > 0 })
  }
}
