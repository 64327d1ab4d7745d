/// A text in a PNG file.
public struct PNGText: Sendable, Equatable {
  /// Its name: `parameters`, `Software`, …; 1 to 79 Latin-1 characters, no spaces at the ends.
  public var keyword: String
  /// The text. Zero characters cannot be stored and become U+FFFD.
  public var text: String
  /// Whether it is written as `iTXt` (UTF-8) even where `tEXt` (Latin-1) could hold it. Some readers know only `tEXt`,
  /// so it is used wherever it can be, unless this is set.
  public var isInternational: Bool

  /// A text under a keyword.
  public init(keyword: String, text: String, isInternational: Bool = false) {
    self.keyword = keyword
    self.text = text
    self.isInternational = isInternational
  }

  /// The whole chunk.
  func chunk() throws(ImageError) -> [UInt8] {
    let name = try Self.latin1(keyword: keyword)
    let text = self.text.unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }
    if !isInternational, text.allSatisfy({ $0.value <= 0xFF }) {
      return PNGChunks.encode("tEXt", name + [0] + text.map { UInt8(truncatingIfNeeded: $0.value) })
    }
    // Not compressed, no language, no translated keyword.
    let content = String(String.UnicodeScalarView(text)).utf8
    return PNGChunks.encode("iTXt", name + [0, 0, 0, 0, 0] + content)
  }

  private static func latin1(keyword: String) throws(ImageError) -> [UInt8] {
    let scalars = keyword.unicodeScalars
    let isPrintable = scalars.allSatisfy { (0x20...0x7E).contains($0.value) || (0xA1...0xFF).contains($0.value) }
    guard isPrintable, (1...79).contains(scalars.count), scalars.first != " ", scalars.last != " ",
      !keyword.contains("  ")
    else {
      throw ImageError(
        .invalidText,
        "“\(keyword)” is no keyword of a PNG text; legal: 1 to 79 printable Latin-1 characters, single spaces between")
    }
    return scalars.map { UInt8(truncatingIfNeeded: $0.value) }
  }

  /// Reads a chunk's data; nil when it is no text, or a compressed one.
  init?(name: String, data: ArraySlice<UInt8>) {
    guard name == "tEXt" || name == "iTXt", let end = data.firstIndex(of: 0) else { return nil }
    let keyword = String(String.UnicodeScalarView(data[..<end].map { Unicode.Scalar($0) }))
    var rest = data[(end + 1)...]
    if name == "tEXt" {
      self.init(keyword: keyword, text: String(String.UnicodeScalarView(rest.map { Unicode.Scalar($0) })))
      return
    }
    // Compression flag and method, language, translated keyword.
    guard rest.count >= 2, rest.removeFirst() == 0 else { return nil }
    rest.removeFirst()
    for _ in 0..<2 {
      guard let zero = rest.firstIndex(of: 0) else { return nil }
      rest = rest[(zero + 1)...]
    }
    self.init(keyword: keyword, text: String(decoding: rest, as: UTF8.self), isInternational: true)
  }
}
