/// A parameter of a statement: `$1`, `$2`, …; nil is NULL.
///
/// Values are sent apart from the statement, never inside it. All but `bytes` are sent as untyped text, so that
/// PostgreSQL infers the type from where the parameter stands, as for a quoted literal; where it cannot, cast:
/// `unnest($1::text[])`.
public enum PostgresValue: Sendable, Equatable {
  /// Text, and anything that PostgreSQL reads from text: timestamps, intervals, jsonb, uuid, enums. U+0000 is refused.
  case text(String)
  /// Any integer type, or numeric.
  case int(Int64)
  /// Any floating-point type. NaN and infinities included.
  case double(Double)
  /// boolean.
  case bool(Bool)
  /// bytea. Sent in binary: a picture is not doubled in size by hexadecimal digits.
  case bytes([UInt8])
  /// text[], and arrays of anything that PostgreSQL reads from text; nil is a NULL element.
  case textArray([String?])
  /// bigint[], and arrays of other integer types.
  case intArray([Int64])
}

extension PostgresValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral
{
  /// `.text`.
  public init(stringLiteral value: String) { self = .text(value) }
  /// `.int`.
  public init(integerLiteral value: Int64) { self = .int(value) }
  /// `.double`.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// `.bool`.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
}

/// A parameter as it goes to the server.
struct EncodedParameter {
  /// Type OID of bytea.
  static let bytea: UInt32 = 17

  /// Type OID; 0 leaves it to the server.
  var type: UInt32 = 0
  /// Binary format.
  var isBinary = false
  /// Without a terminating NUL.
  var bytes: [UInt8]
}

extension PostgresValue {
  /// - Parameter position: of the parameter, from 1, for the error.
  /// - Throws: `PostgresError` (`misuse`) for text with U+0000, which would end there: C strings carry it.
  func encoded(at position: Int) throws -> EncodedParameter {
    let text: String
    switch self {
    case .bytes(let bytes): return EncodedParameter(type: EncodedParameter.bytea, isBinary: true, bytes: bytes)
    case .text(let value): text = value
    case .int(let value): text = String(value)
    case .double(let value): text = String(value)
    case .bool(let value): text = value ? "t" : "f"
    case .textArray(let elements): text = arrayLiteral(elements)
    case .intArray(let elements): text = "{\(elements.map(String.init).joined(separator: ","))}"
    }
    let bytes = Array(text.utf8)
    guard !bytes.contains(0) else {
      throw PostgresError(
        .misuse,
        "Parameter $\(position) contains the character U+0000, which PostgreSQL text cannot hold: remove it, or use "
          + "a bytea column and PostgresValue.bytes.")
    }
    return EncodedParameter(bytes: bytes)
  }
}
