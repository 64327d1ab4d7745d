/// How a stored picture is turned to stand upright: the values of the Exif tag Orientation.
enum Orientation: Int {
  case up = 1, upMirrored, down, downMirrored, leftMirrored, right, rightMirrored, left

  /// What a picture's metadata come to: Exif's word, else XMP's, else upright. A value that is not legal is a word too:
  /// the picture is taken as it is.
  init(exif: ArraySlice<UInt8>?, xmp: [UInt8]?) {
    let value = exif.flatMap { Self.value(inExif: $0) } ?? xmp.flatMap { Self.value(inXMP: $0) }
    self = value.flatMap { Orientation(rawValue: $0) } ?? .up
  }

  /// Reads the tag from an Exif block: a TIFF header and a directory of tags. Nil when it is absent or broken.
  private static func value(inExif exif: ArraySlice<UInt8>) -> Int? {
    var block = exif
    // Some writers put the JPEG segment's own prefix in front once or twice.
    for _ in 0..<2 where block.starts(with: exifPrefix) { block = block.dropFirst(exifPrefix.count) }
    let bytes = Array(block)
    let isLittleEndian: Bool
    if bytes.starts(with: [0x49, 0x49, 0x2A, 0]) {
      isLittleEndian = true
    } else if bytes.starts(with: [0x4D, 0x4D, 0, 0x2A]) {
      isLittleEndian = false
    } else {
      return nil
    }
    func number(_ count: Int, at index: Int) -> Int? {
      guard index >= 0, index <= bytes.count - count else { return nil }
      let part = bytes[index..<index + count]
      return (isLittleEndian ? part.reversed() : Array(part)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, at: 4), let count = number(2, at: directory) else { return nil }
    var found: Int?
    for entry in 0..<count {
      let start = directory + 2 + 12 * entry
      guard let tag = number(2, at: start), let type = number(2, at: start + 2) else { break }
      guard tag == Self.tag, number(4, at: start + 4) == 1 else { continue }
      // A byte, a short or a long, signed or not.
      switch type {
      case 1, 6: found = number(1, at: start + 8)
      case 3, 8: found = number(2, at: start + 8)
      case 4, 9: found = number(4, at: start + 8)
      default: continue
      }
    }
    return found
  }

  /// Reads the tag from an XMP packet.
  private static func value(inXMP xmp: [UInt8]) -> Int? {
    let name = Array("tiff:Orientation".utf8)
    for start in xmp.indices where xmp[start...].starts(with: name) {
      let value = xmp[(start + name.count)...]
      let digit: UInt8? =
        if value.starts(with: "=\"".utf8) { value.dropFirst(2).first } else {
          value.starts(with: ">".utf8) ? value.dropFirst().first : nil
        }
      guard let digit, (0x30...0x39).contains(digit) else { continue }
      return Int(digit - 0x30)
    }
    return nil
  }

  /// What begins a JPEG's Exif segment.
  static let exifPrefix = Array("Exif\0\0".utf8)
  private static let tag = 0x112
}

extension RGBImage {
  /// The picture, upright.
  func oriented(_ orientation: Orientation) -> RGBImage {
    let (lastX, lastY) = (width - 1, height - 1)
    switch orientation {
    case .up: return self
    case .upMirrored: return mapped(width, height) { x, y in (lastX - x, y) }
    case .down: return mapped(width, height) { x, y in (lastX - x, lastY - y) }
    case .downMirrored: return mapped(width, height) { x, y in (x, lastY - y) }
    case .leftMirrored: return mapped(height, width) { x, y in (y, x) }
    case .right: return mapped(height, width) { x, y in (y, lastY - x) }
    case .rightMirrored: return mapped(height, width) { x, y in (lastX - y, lastY - x) }
    case .left: return mapped(height, width) { x, y in (lastX - y, x) }
    }
  }

  /// A picture whose pixel (x, y) is this one's at `source(x, y)`.
  private func mapped(_ width: Int, _ height: Int, _ source: (Int, Int) -> (Int, Int)) -> RGBImage {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for y in 0..<height {
      for x in 0..<width {
        let (fromX, fromY) = source(x, y)
        let start = 3 * (fromY * self.width + fromX)
        result.append(contentsOf: bytes[start..<start + 3])
      }
    }
    return RGBImage(width: width, height: height, bytes: result)
  }
}
