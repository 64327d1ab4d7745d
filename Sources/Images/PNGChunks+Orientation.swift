internal import CLibPNG

extension PNGChunks {
  /// How the picture has to be turned. Exif stands in an `eXIf` chunk or, in files of older programs, in hexadecimal in a
  /// text that ImageMagick once named `Raw profile type exif`; XMP stands in a text of its own.
  func orientation(in bytes: [UInt8]) -> Orientation {
    let exif = chunks.last { $0.name == "eXIf" }.map { bytes[$0.data] }
    return Orientation(
      exif: exif ?? content(ofText: "Raw profile type exif", in: bytes).flatMap { Self.rawProfile($0) }?[...],
      xmp: content(ofText: "XML:com.adobe.xmp", in: bytes))
  }

  /// Three lines about the profile (one empty, its name, its length), then its bytes in hexadecimal digits, with white
  /// space anywhere between two of them. Nil for anything else.
  private static func rawProfile(_ text: [UInt8]) -> [UInt8]? {
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropFirst(3)
    var profile: [UInt8] = []
    var first: UInt8?
    for byte in lines.joined() {
      let character = Character(Unicode.Scalar(byte))
      if first == nil, character.isASCII, character.isWhitespace { continue }
      guard let digit = character.hexDigitValue.map({ UInt8($0) }) else { return nil }
      if let high = first {
        profile.append(high << 4 | digit)
        first = nil
      } else {
        first = digit
      }
    }
    return first == nil ? profile : nil
  }

  /// The bytes of the last text with this keyword, compressed or not.
  private func content(ofText keyword: String, in bytes: [UInt8]) -> [UInt8]? {
    var found: [UInt8]?
    for chunk in chunks where ["tEXt", "zTXt", "iTXt"].contains(chunk.name) {
      let data = bytes[chunk.data]
      guard data.starts(with: keyword.utf8), data.dropFirst(keyword.utf8.count).first == 0 else { continue }
      let rest = data.dropFirst(keyword.utf8.count + 1)
      switch chunk.name {
      case "tEXt": found = Array(rest)
      case "zTXt": found = Self.inflated(rest, method: rest.first) ?? found
      default: found = Self.international(rest) ?? found
      }
    }
    return found
  }

  /// After the keyword of an `iTXt`: compression flag and method, language, translated keyword, text.
  private static func international(_ data: ArraySlice<UInt8>) -> [UInt8]? {
    let parts = data.dropFirst(2).split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
    guard let isCompressed = data.first.map({ $0 != 0 }), let method = data.dropFirst().first, parts.count == 3 else {
      return nil
    }
    return isCompressed ? inflated([method] + parts[2], method: method) : Array(parts[2])
  }

  /// - Parameter data: the method's byte and a zlib stream. What it expands to is bounded by nothing in the file, so it is
  ///   bounded here, as Pillow bounds it.
  private static func inflated(_ data: ArraySlice<UInt8>, method: UInt8?) -> [UInt8]? {
    guard method == 0 else { return nil }
    let stream = Array(data.dropFirst())
    guard !stream.isEmpty else { return [] }
    let text = unsafe [UInt8](unsafeUninitializedCapacity: longestText) { buffer, count in
      let status = unsafe stream.withUnsafeBufferPointer { stream in
        guard let source = stream.baseAddress, let destination = buffer.baseAddress else {
          preconditionFailure("neither the stream nor the buffer is empty")
        }
        return unsafe clibpng_inflate(source, stream.count, destination, buffer.count, &count)
      }
      if status != 0 { count = 0 }
    }
    return text
  }

  /// Bytes of a text once it is inflated: 1 MiB.
  private static let longestText = 1 << 20
}
