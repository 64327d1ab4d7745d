/// What this worker takes on. The table refuses what no worker can run; these are the bounds of one machine.
public struct ImageJobLimits: Sendable, Equatable {
  /// Largest picture, width × height.
  public var maximumPixels: Int
  /// Memory for activations, in bytes; nil for no bound but the machine's. A picture needs about
  /// `activationBytesPerPixel` for each pixel at the decoder's widest layer.
  public var activationMemory: Int?
  /// Largest encoded initial picture, in bytes.
  public var maximumInitImageBytes: Int
  /// Largest initial picture once decoded, width × height: a file of a few kilobytes can decode to gigabytes.
  public var maximumInitImagePixels: Int

  /// At full resolution the decoder holds about three layers of 256 channels, four bytes each.
  public static let activationBytesPerPixel = 3 * 256 * 4

  /// Bounds for a machine of ordinary size: pictures up to 2048 × 2048.
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
