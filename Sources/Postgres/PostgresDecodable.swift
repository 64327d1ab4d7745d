/// A type that a column's text can become.
public protocol PostgresDecodable {
  /// Nil when the field holds something else.
  static func decode(_ field: PostgresField) -> Self?
  /// The value for NULL; nil when NULL is not acceptable.
  static func decodeNull() -> Self?
  /// A field that holds an array of this type. [UInt8] is bytea.
  static func decodeArray(_ field: PostgresField) -> [Self]?
}

/// A value that is not NULL, in the text form that PostgreSQL prints.
public struct PostgresField: Sendable {
  /// The server's text.
  public let text: String

  /// A field with this text.
  public init(text: String) { self.text = text }
}

extension PostgresDecodable {
  /// NULL is not acceptable.
  public static func decodeNull() -> Self? { nil }

  /// A one-dimensional array.
  public static func decodeArray(_ field: PostgresField) -> [Self]? {
    guard let elements = arrayElements(field.text) else { return nil }
    var values: [Self] = []
    values.reserveCapacity(elements.count)
    for element in elements {
      guard let value = element.map({ decode(PostgresField(text: $0)) }) ?? decodeNull() else { return nil }
      values.append(value)
    }
    return values
  }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
  /// A value.
  public static func decode(_ field: PostgresField) -> Wrapped?? {
    Wrapped.decode(field).map(Optional.some)
  }
  /// NULL is nil.
  public static func decodeNull() -> Wrapped?? { .some(nil) }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
  /// An array or, for UInt8, bytea.
  public static func decode(_ field: PostgresField) -> [Element]? { Element.decodeArray(field) }
}

extension String: PostgresDecodable {
  /// Any type: the text as PostgreSQL prints it.
  public static func decode(_ field: PostgresField) -> String? { field.text }
}

extension Bool: PostgresDecodable {
  /// boolean.
  public static func decode(_ field: PostgresField) -> Bool? {
    switch field.text {
    case "t", "true": true
    case "f", "false": false
    default: nil
    }
  }
}

extension PostgresDecodable where Self: FixedWidthInteger {
  /// An integer that fits.
  public static func decode(_ field: PostgresField) -> Self? { Self(field.text) }
}

extension Int: PostgresDecodable {}
extension Int16: PostgresDecodable {}
extension Int32: PostgresDecodable {}
extension Int64: PostgresDecodable {}

extension Double: PostgresDecodable {
  /// Any number; `NaN` and `Infinity` too.
  public static func decode(_ field: PostgresField) -> Double? { Double(field.text) }
}

extension Float: PostgresDecodable {
  /// Any number; `NaN` and `Infinity` too.
  public static func decode(_ field: PostgresField) -> Float? { Float(field.text) }
}

extension UInt8: PostgresDecodable {
  /// bytea in either output format: hexadecimal, or `escape` where someone has set `bytea_output`.
  public static func decodeArray(_ field: PostgresField) -> [UInt8]? {
    field.text.hasPrefix("\\x") ? hexadecimal(Array(field.text.utf8.dropFirst(2))) : escaped(field.text.utf8[...])
  }

  private static func hexadecimal(_ digits: [UInt8]) -> [UInt8]? {
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes = [UInt8](repeating: 0, count: digits.count / 2)
    for position in bytes.indices {
      let (high, low) = (nibbles[Int(digits[2 * position])], nibbles[Int(digits[2 * position + 1])])
      // A nibble that is none has bits above the lower four.
      guard (high | low) & 0xF0 == 0 else { return nil }
      bytes[position] = high << 4 | low
    }
    return bytes
  }

  /// The value of each hexadecimal digit by its ASCII code; 0xFF for everything else.
  private static let nibbles: [UInt8] = (UInt8.min...UInt8.max).map { digit in
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: 0xFF
    }
  }

  /// `\\` is a backslash, `\ooo` three octal digits, everything else itself.
  private static func escaped(_ text: Substring.UTF8View) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      if rest.first == UInt8(ascii: "\\") {
        rest.removeFirst()
        bytes.append(byte)
      } else {
        guard rest.count >= 3, let value = UInt8(String(rest.prefix(3)) ?? "", radix: 8) else { return nil }
        rest.removeFirst(3)
        bytes.append(value)
      }
    }
    return bytes
  }
}
