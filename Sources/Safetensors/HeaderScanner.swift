/// A strict JSON reader of exactly what a safetensors header may hold: objects, strings, arrays of whole numbers.
///
/// A general decoder would not do: it keeps one of two equal keys, and a file could then mean different tensors to
/// different readers. It also accepts numbers (`1e3`, `-0`, `1.0`) that are no sizes. Nothing here recurses, so
/// nesting cannot exhaust the stack.
struct HeaderScanner {
  private let bytes: [UInt8]
  private var position = 0

  /// What is wrong, at which byte of the header.
  struct Failure: Error {
    let message: String
  }

  init(_ bytes: [UInt8]) throws {
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw Failure(message: "the header is not valid UTF-8")
    }
    self.bytes = bytes
  }

  func failure(_ expected: String) -> Failure {
    guard position < bytes.count else {
      return Failure(message: "the header ends at byte \(position), expected \(expected)")
    }
    let byte = bytes[position]
    let found = (0x21...0x7e).contains(byte) ? "'\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)"
    return Failure(message: "the header has \(found) at byte \(position), expected \(expected)")
  }

  /// The next byte that is not white space, not consumed; nil at the end.
  mutating func peek() -> UInt8? {
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
      default: return bytes[position]
      }
    }
    return nil
  }

  /// Consumes `character`, after white space.
  mutating func expect(_ character: Unicode.Scalar) throws {
    guard peek() == UInt8(ascii: character) else { throw failure("'\(character)'") }
    position += 1
  }

  /// Calls `body` at each value of an object, with its key. Two equal keys are an error.
  mutating func object(_ body: (inout HeaderScanner, String) throws -> Void) throws {
    var seen: Set<String> = []
    try sequence(opening: "{", closing: "}") { scanner in
      let start = scanner.position
      let key = try scanner.string()
      guard seen.insert(key).inserted else {
        throw Failure(message: "the header has the key \"\(key)\" twice, the second time at byte \(start)")
      }
      try scanner.expect(":")
      try body(&scanner, key)
    }
  }

  /// An array of whole numbers.
  mutating func sizes() throws -> [Int] {
    var values: [Int] = []
    try sequence(opening: "[", closing: "]") { values.append(try $0.size()) }
    return values
  }

  private mutating func sequence(
    opening: Unicode.Scalar, closing: Unicode.Scalar, _ element: (inout HeaderScanner) throws -> Void
  ) throws {
    try expect(opening)
    if peek() == UInt8(ascii: closing) {
      position += 1
      return
    }
    while true {
      try element(&self)
      if peek() == UInt8(ascii: closing) { break }
      guard peek() == UInt8(ascii: ",") else { throw failure("',' or '\(closing)'") }
      position += 1
    }
    position += 1
  }

  /// A number of JSON that is whole, not negative and fits: no sign, no leading zero, no fraction, no exponent.
  private mutating func size() throws -> Int {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard let first = peek(), digits.contains(first) else { throw failure("a whole number") }
    var value = 0
    let start = position
    while position < bytes.count, digits.contains(bytes[position]) {
      let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowToo) = shifted.addingReportingOverflow(Int(bytes[position] - digits.lowerBound))
      guard !overflow, !overflowToo else {
        throw Failure(message: "the header has a number at byte \(start) that is larger than any file")
      }
      value = sum
      position += 1
    }
    guard first != digits.lowerBound || position == start + 1 else {
      throw Failure(message: "the header has a number with a leading zero at byte \(start)")
    }
    return value
  }

  /// A string, escapes resolved.
  mutating func string() throws -> String {
    guard peek() == UInt8(ascii: "\"") else { throw failure("a string") }
    position += 1
    var text: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        position += 1
        text.append(contentsOf: Array(String(try escape()).utf8))
      case 0..<0x20:
        throw failure("the rest of a string (a control character must be escaped)")
      default:
        text.append(byte)
        position += 1
      }
    }
    throw failure("the end of a string")
  }

  /// The character of an escape sequence, its backslash consumed.
  private mutating func escape() throws -> Unicode.Scalar {
    guard position < bytes.count else { throw failure("an escape sequence") }
    let kind = bytes[position]
    position += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(kind)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try fourHexDigits()
      if let scalar = Unicode.Scalar(unit) { return scalar }
      // Half of a pair: only a high half followed by a low half is a character.
      guard (0xd800..<0xdc00).contains(unit), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      else { throw failure("the second half of a surrogate pair") }
      position += 2
      let low = try fourHexDigits()
      guard (0xdc00..<0xe000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (UInt32(unit) - 0xd800) << 10 + (UInt32(low) - 0xdc00))
      else { throw failure("the second half of a surrogate pair") }
      return scalar
    default:
      position -= 1
      throw failure("an escape sequence")
    }
  }

  private mutating func fourHexDigits() throws -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue,
        bytes[position] < 0x80
      else { throw failure("four hexadecimal digits") }
      value = value << 4 | UInt16(digit)
      position += 1
    }
    return value
  }
}
