internal import CLibJPEG

/// JPEG (ISO/IEC 10918), baseline and progressive, 8 bits a sample.
public enum JPEG {
  static let signature: [UInt8] = [0xFF, 0xD8, 0xFF]

  /// Decodes a grey, colour or CMYK picture, upright, as Pillow's `convert("RGB")` does.
  ///
  /// Damaged data is decoded as far as it makes sense, as every reader does; a file that ends early is an error.
  ///
  /// - Throws: ``ImageError``.
  public static func decode(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) throws(ImageError) -> RGBImage {
    try limits.check(byteCount: bytes.count)
    let header = try header(bytes)
    let (width, height, channels) = (Int(header.width), Int(header.height), Int(header.components))
    try limits.check(width: width, height: height)
    guard [1, 3, 4].contains(channels) else {
      throw ImageError(.unsupportedFeature, "the JPEG has \(channels) components; supported: 1, 3 and 4")
    }
    let samples = try samples(bytes, count: width * height * channels)
    let image = RGBImage(width: width, height: height, bytes: rgb(samples, channels: channels))
    return image.oriented(JPEGSegments(bytes).orientation)
  }

  private static func header(_ bytes: [UInt8]) throws(ImageError) -> clibjpeg_header {
    var header = clibjpeg_header()
    var message = ErrorText(capacity: CLIBJPEG_MESSAGE_SIZE)
    let status = unsafe bytes.withUnsafeBufferPointer { buffer in
      // An empty file has no address to give; the library would refuse it in other words.
      guard let start = buffer.baseAddress else { return Int32(-1) }
      return unsafe clibjpeg_read_header(start, buffer.count, &header, &message.characters)
    }
    guard status == 0 else { throw error(message) }
    return header
  }

  private static func samples(_ bytes: [UInt8], count: Int) throws(ImageError) -> [UInt8] {
    var samples = [UInt8](repeating: 0, count: count)
    var message = ErrorText(capacity: CLIBJPEG_MESSAGE_SIZE)
    let status = unsafe bytes.withUnsafeBufferPointer { source in
      unsafe samples.withUnsafeMutableBufferPointer { samples in
        guard let start = source.baseAddress, let destination = samples.baseAddress else { return Int32(-1) }
        return unsafe clibjpeg_decode(start, source.count, destination, samples.count, &message.characters)
      }
    }
    guard status == 0 else { throw error(message) }
    return samples
  }

  private static func error(_ message: ErrorText) -> ImageError {
    // The library's own words for reading past the end.
    let isTruncated = message.text.hasPrefix("Premature end of JPEG file")
    return ImageError(
      isTruncated ? .truncated : .corrupt,
      isTruncated ? "the JPEG is truncated" : "the JPEG cannot be decoded: \(message.text)")
  }

  private static func rgb(_ samples: [UInt8], channels: Int) -> [UInt8] {
    if channels == 3 { return samples }
    var rgb: [UInt8] = []
    rgb.reserveCapacity(3 * samples.count / channels)
    if channels == 1 {
      for sample in samples { rgb.append(contentsOf: repeatElement(sample, count: 3)) }
      return rgb
    }
    // CMYK is stored inverted, as Adobe does, so the samples already are 255 minus the ink: what is left of white.
    for start in stride(from: 0, to: samples.count, by: 4) {
      let black = Int(samples[start + 3])
      for channel in 0..<3 {
        let ink = 255 - Int(samples[start + channel])
        let product = ink * black + 128
        rgb.append(UInt8(clamping: black - (product + product >> 8) >> 8))
      }
    }
    return rgb
  }
}

/// What the segments in front of a JPEG's pixels say.
struct JPEGSegments {
  private var exif: [UInt8] = []
  private var xmp: [UInt8]?

  /// Walks the segments up to the first scan, or to where the file makes no sense: the decoder has judged it already.
  init(_ bytes: [UInt8]) {
    var position = 2
    while position + 4 <= bytes.count {
      guard bytes[position] == 0xFF else { return }
      let marker = bytes[position + 1]
      switch marker {
      case 0xFF:
        position += 1
        continue
      case 0x01, 0xD0...0xD8:
        position += 2
        continue
      case 0xD9, 0xDA: return
      default: break
      }
      let end = position + 2 + Int(bytes[position + 2]) << 8 + Int(bytes[position + 3])
      guard end >= position + 4, end <= bytes.count else { return }
      let content = bytes[position + 4..<end]
      if marker == 0xE1, content.starts(with: Orientation.exifPrefix) {
        // Blocks of more than 64 kB go on in the next segment.
        exif += content.dropFirst(Orientation.exifPrefix.count)
      } else if marker == 0xE1, content.starts(with: Self.xmpPrefix) {
        xmp = Array(content.dropFirst(Self.xmpPrefix.count))
      }
      position = end
    }
  }

  /// How the picture has to be turned.
  var orientation: Orientation { Orientation(exif: exif[...], xmp: xmp) }

  private static let xmpPrefix = Array("http://ns.adobe.com/xap/1.0/\0".utf8)
}
