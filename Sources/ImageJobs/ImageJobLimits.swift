/// What this worker takes on. The table refuses what no worker can run; these are the bounds of one machine.
public struct ImageJobLimits: Sendable, Equatable {
  /// Largest picture, width × height.
  public var maximumPixels: Int
  /// Memory for activations, in bytes; nil, as the command has it, for no bound but the machine's. It bounds the pixels by
  /// a rough estimate, not by a count: see ``activationBytesPerPixel``.
  public var activationMemory: Int?
  /// Largest encoded initial picture, in bytes.
  public var maximumInitImageBytes: Int
  /// Largest initial picture once decoded, width × height: a file of a few kilobytes can decode to gigabytes.
  public var maximumInitImagePixels: Int

  /// An estimate: at full resolution the decoders of the Stable Diffusion family hold about three layers of 256 channels, four
  /// bytes each. It leaves out weights, the UNet and what libraries keep for themselves, and knows nothing of a model with other
  /// widths.
  public static let activationBytesPerPixel = 3 * 256 * 4

  /// Bounds for a machine of ordinary size: pictures up to 2048 × 2048. `--max-pixels` changes that.
  public init(
    maximumPixels: Int = 2048 * 2048, activationMemory: Int? = nil, maximumInitImageBytes: Int = 64 << 20,
    maximumInitImagePixels: Int = 64_000_000
  ) {
    self.maximumPixels = maximumPixels
    self.activationMemory = activationMemory
    self.maximumInitImageBytes = maximumInitImageBytes
    self.maximumInitImagePixels = maximumInitImagePixels
  }

  /// The stricter of the two bounds on a picture's pixels.
  var pixelBound: Int {
    guard let activationMemory else { return maximumPixels }
    return min(maximumPixels, activationMemory / Self.activationBytesPerPixel)
  }
}
