/// What to draw. Every field is already legal for the model: `validate` says what is not, by name.
public struct GenerationRequest: Sendable, Equatable {
  /// The text to draw.
  public var prompt: String
  /// What to steer away from; used only when `guidanceScale` > 1.
  public var negativePrompt: String?
  /// Size in pixels, multiples of 8. Nil: the model's own size or, with an initial picture, the picture's.
  public var width: Int?, height: Int?
  /// Denoising steps, 1…50. With an initial picture `Int(steps × strength)` of them run.
  public var steps: Int
  /// Classifier-free guidance; at 1 and below the UNet runs once per step.
  public var guidanceScale: Double
  /// Seed of the first picture; picture `i` uses `seed + i`.
  public var seed: Int64
  /// Number of pictures.
  public var imageCount: Int
  /// Start from this picture instead of from noise alone. Its size is the result's size.
  public var initialImage: RGBPixels?
  /// How much of the initial picture is replaced by noise, 0…1.
  public var strength: Double

  /// A request with SDXL-Turbo's defaults.
  public init(
    prompt: String, negativePrompt: String? = nil, width: Int? = nil, height: Int? = nil, steps: Int = 1,
    guidanceScale: Double = 0, seed: Int64, imageCount: Int = 1, initialImage: RGBPixels? = nil, strength: Double = 1
  ) {
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.width = width
    self.height = height
    self.steps = steps
    self.guidanceScale = guidanceScale
    self.seed = seed
    self.imageCount = imageCount
    self.initialImage = initialImage
    self.strength = strength
  }
}

/// An 8-bit RGB picture, rows top to bottom, `3 · width · height` bytes.
public struct RGBPixels: Sendable, Equatable {
  /// Size in pixels.
  public let width: Int, height: Int
  /// Red, green, blue of each pixel.
  public let bytes: [UInt8]

  /// Wraps interleaved RGB bytes.
  public init(width: Int, height: Int, bytes: [UInt8]) {
    precondition(bytes.count == 3 * width * height, "\(bytes.count) bytes are not \(width)×\(height) RGB")
    self.width = width
    self.height = height
    self.bytes = bytes
  }
}

/// What a run of the pipeline made.
public struct GenerationResult: Sendable {
  /// One picture and the seed that alone reproduces it.
  public struct Image: Sendable {
    /// 8-bit RGB.
    public let pixels: RGBPixels
    /// What its generator started from.
    public let seed: Int64

    /// Pairs a picture with its seed.
    public init(pixels: RGBPixels, seed: Int64) {
      self.pixels = pixels
      self.seed = seed
    }
  }
  /// In seed order.
  public let images: [Image]
  /// For the user: the prompt was cut, the negative prompt was ignored.
  public let warnings: [String]
  /// Seconds by component: `text`, `vae_encode`, `unet`, `vae_decode`. No `text` when the prompt was known. Of the UNet's time with a batch
  /// that holds other requests' pictures too, its pictures' share.
  public let timings: [String: Double]
  /// Whether an earlier run had encoded the prompt.
  public let promptWasKnown: Bool

  /// What a run made, in seed order.
  public init(images: [Image], warnings: [String], timings: [String: Double], promptWasKnown: Bool = false) {
    self.images = images
    self.warnings = warnings
    self.timings = timings
    self.promptWasKnown = promptWasKnown
  }
}

/// Where a run has got to. Sent between the blocks of the UNet and the VAE, not only between steps.
public struct GenerationProgress: Sendable, Equatable {
  /// The stage of the pipeline.
  public enum Phase: String, Sendable, CaseIterable {
    case encodeText = "encode_text"
    case encodeImage = "encode_image"
    case denoise
    case decode
  }
  /// The stage that is running.
  public var phase: Phase
  /// Denoising steps begun and to be run, over all pictures.
  public var step: Int, stepCount: Int
  /// Share of the whole run's work done, 0…1, never decreasing.
  public var fraction: Double

  /// A place in a run.
  public init(phase: Phase, step: Int, stepCount: Int, fraction: Double) {
    self.phase = phase
    self.step = step
    self.stepCount = stepCount
    self.fraction = fraction
  }
}

/// How a caller follows and stops a run. Both closures are called on the engine's thread between blocks.
public struct GenerationControl: Sendable {
  /// Told at every block boundary; must return quickly.
  public var progress: @Sendable (GenerationProgress) -> Void
  /// Asked at every block boundary; true makes the run throw `CancellationError`.
  public var isCancelled: @Sendable () -> Bool

  /// Follows nothing and never stops, unless told otherwise.
  public init(
    progress: @escaping @Sendable (GenerationProgress) -> Void = { _ in },
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.progress = progress
    self.isCancelled = isCancelled
  }
}
