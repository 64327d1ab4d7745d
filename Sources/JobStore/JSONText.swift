internal import FoundationEssentials

/// A `jsonb` value as the database prints it. Encoded it is that value, not a string that holds it.
///
/// The text is kept, because JSON numbers have no limits and every type of Swift's has.
public struct JSONText: Sendable, Equatable, ExpressibleByStringLiteral {
  /// What the database printed.
  public var text: String

  /// Takes the text on trust: it comes from a `jsonb` column.
  public init(_ text: String) { self.text = text }

  /// For tests and defaults.
  public init(stringLiteral text: String) { self.init(text) }
}

extension JSONText: Encodable {
  /// Encodes the value, its keys untouched by the encoder's key strategy. A number with more than 38 digits or an exponent
  /// beyond ±127 has no type to pass through; then the whole value stays a string rather than losing digits.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else {
      return try container.encode(text)
    }
    try container.encode(value)
  }
}

/// Any JSON value.
private indirect enum JSONValue: Codable {
  case null, bool(Bool), number(Decimal), string(String), array([JSONValue]), object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let bool = try? container.decode(Bool.self) {
      self = .bool(bool)
    } else if let string = try? container.decode(String.self) {
      self = .string(string)
    } else if let array = try? container.decode([JSONValue].self) {
      self = .array(array)
    } else if let object = try? container.decode([String: JSONValue].self) {
      self = .object(object)
    } else {
      self = .number(try container.decode(Decimal.self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let bool): try container.encode(bool)
    case .number(let number): try container.encode(number)
    case .string(let string): try container.encode(string)
    case .array(let array): try container.encode(array)
    case .object(let object): try container.encode(object)
    }
  }
}
