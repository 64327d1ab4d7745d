/// An 8-bit RGB picture: rows top to bottom, three bytes a pixel, nothing between rows.
public struct RGBImage: Sendable, Equatable {
  /// Size in pixels, both at least 1.
  public let width: Int, height: Int
  /// Red, green, blue of each pixel: `3 · width · height` bytes.
  public let bytes: [UInt8]

  /// Wraps interleaved RGB bytes.
  public init(width: Int, height: Int, bytes: [UInt8]) {
    precondition(width > 0 && height > 0, "\(width)×\(height) is no picture")
    precondition(bytes.count == 3 * width * height, "\(bytes.count) bytes are not \(width)×\(height) RGB")
    self.width = width
    self.height = height
    self.bytes = bytes
  }
}
