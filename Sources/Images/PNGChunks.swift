/// The chunks of a PNG file, checked before any of them is used: lengths, names, checksums, order.
struct PNGChunks {
  /// One chunk.
  struct Chunk {
    let name: String
    /// Where its data lies in the file.
    let data: Range<Int>

    /// Where all of it lies: length and name in front, checksum behind.
    var whole: Range<Int> { data.lowerBound - 8..<data.upperBound + 4 }
  }

  /// All chunks up to and with `IEND`. What follows is ignored.
  let chunks: [Chunk]

  /// Bytes of a chunk besides its data, and of the header's data.
  static let overhead = 12, headerLength = 13

  /// Walks a file.
  ///
  /// - Throws: ``ImageError`` when it ends before `IEND` or a chunk is damaged.
  init(_ bytes: [UInt8]) throws(ImageError) {
    guard bytes.starts(with: PNG.signature) else { throw ImageError(.corrupt, "the file is no PNG") }
    var chunks: [Chunk] = []
    var position = PNG.signature.count
    repeat {
      guard bytes.count - position >= Self.overhead else { throw Self.truncated }
      let length = Int(Self.word(bytes, at: position))
      let name = bytes[position + 4..<position + 8]
      guard name.allSatisfy({ (0x41...0x5A).contains($0 & 0xDF) }) else {
        throw ImageError(.corrupt, "the PNG is damaged: no chunk begins at byte \(position)")
      }
      guard length <= bytes.count - position - Self.overhead else { throw Self.truncated }
      let chunk = Chunk(
        name: String(decoding: name, as: UTF8.self), data: position + 8..<position + 8 + length)
      guard Self.word(bytes, at: chunk.data.upperBound) == CRC32.checksum(bytes[position + 4..<chunk.data.upperBound])
      else {
        throw ImageError(.corrupt, "the PNG is damaged: the checksum of its \(chunk.name) chunk is wrong")
      }
      chunks.append(chunk)
      position = chunk.whole.upperBound
    } while chunks.last?.name != "IEND"
    self.chunks = chunks
    guard chunks.contains(where: { $0.name == "IDAT" }) else {
      throw ImageError(.corrupt, "the PNG has no picture: it has no IDAT chunk")
    }
  }

  private static let truncated = ImageError(.truncated, "the PNG is truncated: it ends before its IEND chunk")

  /// The palette's colours, three bytes each; empty when there is none.
  func palette(in bytes: [UInt8]) -> [UInt8] {
    chunks.last { $0.name == "PLTE" }.map { Array(bytes[$0.data]) } ?? []
  }

  /// The file without the chunks that pixels do not depend on. The decoder never sees the others, so it never expands
  /// a compressed profile or text.
  func pixelStream(of bytes: [UInt8], _ header: PNGHeader) -> [UInt8] {
    var stream = PNG.signature
    stream.reserveCapacity(bytes.count)
    for chunk in chunks {
      switch chunk.name {
      case "IHDR", "IDAT", "IEND": stream += bytes[chunk.whole]
      case "PLTE" where header.colorType == .palette: stream += bytes[chunk.whole]
      default: break
      }
    }
    return stream
  }

  /// Bytes of a new chunk.
  static func encode(_ name: StaticString, _ data: [UInt8]) -> [UInt8] {
    let named = Array("\(name)".utf8) + data
    return bigEndian(UInt32(data.count)) + named + bigEndian(CRC32.checksum(named[...]))
  }

  private static func bigEndian(_ word: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
  }

  static func word(_ bytes: [UInt8], at index: Int) -> UInt32 {
    bytes[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }
}

/// The checksum of PNG chunks: CRC-32 as in ISO 3309.
enum CRC32 {
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { crc, byte in table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ crc >> 8 }
  }

  private static let table: [UInt32] = (0..<256).map { (index: UInt32) in
    (0..<8).reduce(index) { crc, _ in crc & 1 == 1 ? 0xEDB8_8320 ^ crc >> 1 : crc >> 1 }
  }
}
