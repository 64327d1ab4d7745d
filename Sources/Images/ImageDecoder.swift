/// What a decoder accepts. Headers are checked before memory is taken: a file of a hundred bytes may claim a picture
/// of many gigabytes.
public struct ImageLimits: Sendable, Equatable {
  /// Bytes of the file. Default 64 MiB.
  public var bytes: Int
  /// Pixels on one side. Default 16,384.
  public var side: Int
  /// Pixels in all; about eight bytes of memory each while decoding. Default 50 million.
  public var pixels: Int

  /// The defaults, unless told otherwise.
  public init(bytes: Int = 64 << 20, side: Int = 16_384, pixels: Int = 50_000_000) {
    self.bytes = bytes
    self.side = side
    self.pixels = pixels
  }

  func check(byteCount: Int) throws(ImageError) {
    guard byteCount <= bytes else {
      throw ImageError(.tooLarge, "the file has \(byteCount) bytes; the limit is \(bytes)")
    }
  }

  func check(width: Int, height: Int) throws(ImageError) {
    guard width > 0, height > 0 else {
      throw ImageError(.corrupt, "the header says \(width)×\(height) pixels")
    }
    guard width <= side, height <= side, width * height <= pixels else {
      throw ImageError(
        .tooLarge,
        "the picture has \(width)×\(height) pixels; the limit is \(side) on a side and \(pixels) in all")
    }
  }
}

/// Reads a picture of any supported type, as Pillow's `ImageOps.exif_transpose(image).convert("RGB")` does.
public enum ImageDecoder {
  /// Decodes a PNG or JPEG file; its content says which.
  ///
  /// - Throws: ``ImageError``; for another type of file it names the type, if it knows it, and the supported ones.
  public static func decode(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) throws(ImageError) -> RGBImage {
    if bytes.starts(with: PNG.signature) { return try PNG.decode(bytes, limits: limits) }
    if bytes.starts(with: JPEG.signature) { return try JPEG.decode(bytes, limits: limits) }
    let type = knownType(bytes).map { "is \($0)" } ?? (bytes.isEmpty ? "is empty" : "is of an unknown type")
    throw ImageError(.unsupportedType, "the file \(type); supported types: PNG, JPEG. Convert it first")
  }

  private static func knownType(_ bytes: [UInt8]) -> String? {
    func has(_ text: String, at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: text.utf8) }
    if has("GIF8") { return "a GIF" }
    if has("RIFF") && has("WEBP", at: 8) { return "a WebP" }
    if has("BM") { return "a BMP" }
    if has("II*\0") || has("MM\0*") { return "a TIFF" }
    if has("ftypavif", at: 4) { return "an AVIF" }
    if has("ftyphei", at: 4) || has("ftypmif1", at: 4) { return "a HEIF" }
    if has("<svg") || has("<?xml") { return "an SVG or XML" }
    return nil
  }
}
