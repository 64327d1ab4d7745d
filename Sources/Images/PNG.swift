internal import CLibPNG

/// Portable Network Graphics (ISO/IEC 15948).
public enum PNG {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Encodes a picture, with text chunks in front of the pixels.
  ///
  /// Settings are fixed and no time is written, so equal pictures with equal texts give equal bytes (for one version
  /// of zlib).
  ///
  /// - Throws: ``ImageError`` when a keyword is illegal.
  public static func encode(_ image: RGBImage, text: [PNGText] = []) throws(ImageError) -> [UInt8] {
    var chunks: [UInt8] = []
    for entry in text { chunks += try entry.chunk() }
    var message = ErrorText(capacity: CLIBPNG_MESSAGE_SIZE)
    var encoded: UnsafeMutablePointer<UInt8>?
    var count = 0
    let status = unsafe image.bytes.withUnsafeBufferPointer { pixels in
      guard let start = pixels.baseAddress else { preconditionFailure("an RGBImage has at least one pixel") }
      return unsafe clibpng_encode(
        start, UInt32(image.width), UInt32(image.height), &encoded, &count, &message.characters)
    }
    guard status == 0 else { throw ImageError(.corrupt, "the PNG cannot be written: \(message.text)") }
    defer { unsafe clibpng_free(encoded) }
    let stream = unsafe Array(UnsafeBufferPointer(start: encoded, count: count))
    let head = signature.count + PNGChunks.overhead + PNGChunks.headerLength
    return Array(stream[..<head]) + chunks + Array(stream[head...])
  }

  /// Decodes a picture of any colour type and depth, upright, as Pillow's `convert("RGB")` does: transparency is
  /// dropped and not blended, 16-bit colour keeps the high byte, and 16-bit grey is cut off at 255.
  ///
  /// - Throws: ``ImageError``.
  public static func decode(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) throws(ImageError) -> RGBImage {
    try limits.check(byteCount: bytes.count)
    let header = try PNGHeader(bytes)
    // Before the file is walked: its first 33 bytes decide how much memory the rest may take.
    try limits.check(width: header.width, height: header.height)
    let chunks = try PNGChunks(bytes)
    let samples = try samples(chunks, header, of: bytes)
    let image = RGBImage(
      width: header.width, height: header.height,
      bytes: header.rgb(samples, palette: chunks.palette(in: bytes)))
    return image.oriented(chunks.orientation(in: bytes))
  }

  /// The texts of a file: `tEXt` chunks and those `iTXt` chunks that are not compressed. Compressed texts are left
  /// out, because what they expand to is bounded by nothing in the file.
  ///
  /// - Throws: ``ImageError`` when the file is no complete PNG.
  public static func text(of bytes: [UInt8]) throws(ImageError) -> [PNGText] {
    try PNGChunks(bytes).chunks.compactMap { PNGText(name: $0.name, data: bytes[$0.data]) }
  }

  /// One byte a sample, two at depth 16, unscaled.
  private static func samples(
    _ chunks: PNGChunks, _ header: PNGHeader, of bytes: [UInt8]
  ) throws(ImageError) -> [UInt8] {
    let stream = chunks.pixelStream(of: bytes, header)
    let rowSize = header.width * header.channels * (header.bitDepth == 16 ? 2 : 1)
    var samples = [UInt8](repeating: 0, count: rowSize * header.height)
    var message = ErrorText(capacity: CLIBPNG_MESSAGE_SIZE)
    let status = unsafe stream.withUnsafeBufferPointer { stream in
      unsafe samples.withUnsafeMutableBufferPointer { samples in
        guard let source = stream.baseAddress, let destination = samples.baseAddress else {
          preconditionFailure("neither a stream nor a picture is empty")
        }
        return unsafe clibpng_decode(
          source, stream.count, destination, rowSize, UInt32(header.height), &message.characters)
      }
    }
    guard status == 0 else { throw ImageError(.corrupt, "the PNG cannot be decoded: \(message.text)") }
    return samples
  }
}
