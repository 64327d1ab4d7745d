/// The first chunk of a PNG file.
struct PNGHeader {
  /// What a pixel consists of.
  enum ColorType: UInt8 {
    case gray = 0
    case rgb = 2
    case palette = 3
    case grayAlpha = 4
    case rgbAlpha = 6
  }

  let width: Int, height: Int
  /// Bits of a sample: 1, 2, 4, 8 or 16.
  let bitDepth: Int
  let colorType: ColorType

  /// Samples of a pixel.
  var channels: Int {
    switch colorType {
    case .gray, .palette: 1
    case .grayAlpha: 2
    case .rgb: 3
    case .rgbAlpha: 4
    }
  }

  /// Reads the header of a file that begins with the signature. Its checksum is checked with the other chunks'.
  init(_ bytes: [UInt8]) throws(ImageError) {
    let start = PNG.signature.count + 8
    guard bytes.count >= start + PNGChunks.headerLength else {
      throw ImageError(.truncated, "the PNG is truncated: it ends in its header")
    }
    guard bytes.starts(with: PNG.signature), bytes[start - 4..<start].elementsEqual("IHDR".utf8),
      PNGChunks.word(bytes, at: start - 8) == PNGChunks.headerLength
    else {
      throw ImageError(.corrupt, "the PNG is damaged: it does not begin with a header")
    }
    width = Int(PNGChunks.word(bytes, at: start))
    height = Int(PNGChunks.word(bytes, at: start + 4))
    bitDepth = Int(bytes[start + 8])
    guard let colorType = ColorType(rawValue: bytes[start + 9]), Self.depths(of: colorType).contains(bitDepth) else {
      throw ImageError(
        .corrupt, "the PNG is damaged: colour type \(bytes[start + 9]) with \(bytes[start + 8]) bits does not exist")
    }
    self.colorType = colorType
  }

  private static func depths(of colorType: ColorType) -> [Int] {
    switch colorType {
    case .gray: [1, 2, 4, 8, 16]
    case .palette: [1, 2, 4, 8]
    case .rgb, .grayAlpha, .rgbAlpha: [8, 16]
    }
  }

  /// Turns unpacked samples (big-endian at depth 16) into RGB bytes, as Pillow's modes do.
  func rgb(_ samples: [UInt8], palette: [UInt8]) -> [UInt8] {
    let pixels = width * height
    var rgb: [UInt8] = []
    rgb.reserveCapacity(3 * pixels)
    /// Bytes from one sample to the next; of two, the first is the high one.
    let step = bitDepth == 16 ? 2 : 1
    let stride = channels * step
    switch colorType {
    case .gray where bitDepth == 16:
      // Pillow's mode `I;16` becomes RGB by cutting off, not by scaling: anything above 255 is white.
      for i in 0..<pixels {
        let gray = samples[2 * i] == 0 ? samples[2 * i + 1] : 255
        rgb.append(contentsOf: repeatElement(gray, count: 3))
      }
    case .gray:
      let scale = UInt8(255 / ((1 << bitDepth) - 1))
      for sample in samples { rgb.append(contentsOf: repeatElement(sample * scale, count: 3)) }
    case .grayAlpha:
      for i in 0..<pixels { rgb.append(contentsOf: repeatElement(samples[i * stride], count: 3)) }
    case .palette:
      // Indexes beyond a short palette are black.
      let colors = palette + [UInt8](repeating: 0, count: max(0, 3 * 256 - palette.count))
      for sample in samples { rgb.append(contentsOf: colors[3 * Int(sample)..<3 * Int(sample) + 3]) }
    case .rgb where bitDepth == 8:
      return samples
    case .rgb, .rgbAlpha:
      for i in 0..<pixels {
        for channel in 0..<3 { rgb.append(samples[i * stride + channel * step]) }
      }
    }
    return rgb
  }
}
