/// The keys of one published configuration file, read with diffusers' conventions: a key that is absent has the class's
/// default, and one that is `null` has the value "none". Where the default is not "none", `null` therefore asks for
/// another network (one without a middle block, say) and is refused.
///
/// Keys that nobody asks for are ignored, as diffusers ignores them. That is safe only because every key that changes
/// what a network computes is asked for, either to be honoured or to be refused.
struct ConfigReader {
  private let container: KeyedDecodingContainer<ConfigKey>

  init(_ decoder: any Decoder) throws {
    container = try decoder.container(keyedBy: ConfigKey.self)
  }

  private init(_ container: KeyedDecodingContainer<ConfigKey>) {
    self.container = container
  }

  /// The object under `key`, if there is one.
  func nested(_ key: String) throws -> ConfigReader? {
    guard try contains(key) else { return nil }
    return ConfigReader(try container.nestedContainer(keyedBy: ConfigKey.self, forKey: ConfigKey(key)))
  }

  /// Every key of the object.
  var keys: [String] { container.allKeys.map(\.stringValue) }

  /// Whether `key` is there and not `null`.
  func contains(_ key: String) throws -> Bool {
    let key = ConfigKey(key)
    return try container.contains(key) && !container.decodeNil(forKey: key)
  }

  /// The value of `key`; nil when it is absent or `null`.
  func optional<T: Decodable>(_ key: String, _ type: T.Type = T.self) throws -> T? {
    do {
      return try container.decodeIfPresent(type, forKey: ConfigKey(key))
    } catch let error as DecodingError {
      throw error
    } catch let problem as ConfigProblem {
      throw problem
    } catch {
      // The decoder's own error for a number that does not fit: it reports that without the key.
      throw ConfigProblem(key: key, message: "has a value of the wrong type: a number that is not whole or too large")
    }
  }

  /// The value of `key`, or the default of the published class when it is absent.
  func value<T: Decodable>(_ key: String, default value: T) throws -> T {
    if let found: T = try optional(key) { return found }
    guard !container.contains(ConfigKey(key)) else {
      throw ConfigProblem(
        key: key, message: "is null; supported: a value, or no such key (then \(quoted(value)))", isUnsupported: true)
    }
    return value
  }

  /// The value of `key`, which has no default.
  func required<T: Decodable>(_ key: String, _ type: T.Type = T.self) throws -> T {
    guard let value: T = try optional(key) else {
      throw ConfigProblem(key: key, message: "is missing: this file is not complete")
    }
    return value
  }

  /// A size or a count: from 1 to a million, so that products of two of them cannot overflow.
  func count(_ key: String, default value: Int) throws -> Int {
    try checkCount(self.value(key, default: value), key)
  }

  /// Checks what ``count(_:default:)`` checks, for a value read another way.
  func checkCount(_ value: Int, _ key: String) throws -> Int {
    guard (1...1_000_000).contains(value) else {
      throw ConfigProblem(key: key, message: "is \(value), expected a whole number from 1 to 1000000")
    }
    return value
  }

  /// A finite number.
  func number(_ key: String, default value: Double) throws -> Double {
    let value = try self.value(key, default: value)
    guard value.isFinite else { throw ConfigProblem(key: key, message: "is \(value), expected a finite number") }
    return value
  }

  /// A finite number above zero.
  func positiveNumber(_ key: String, default value: Double) throws -> Double {
    let value = try number(key, default: value)
    guard value > 0 else { throw ConfigProblem(key: key, message: "is \(value), expected a number above 0") }
    return value
  }

  /// Refuses any value of `key` but the `legal` ones. An absent key passes when `value`, the default, is legal.
  func only<T: Decodable & Equatable>(_ key: String, _ legal: [T], default value: T) throws {
    let found = try self.value(key, default: value)
    guard legal.contains(found) else {
      throw ConfigProblem(
        key: key, message: "is \(quoted(found)); supported: \(legal.map(quoted).joined(separator: ", "))",
        isUnsupported: true)
    }
  }

  /// Refuses `key` unless it is absent, `null`, or `false`.
  func onlyNull(_ key: String) throws {
    guard try contains(key) else { return }
    if (try? container.decode(Bool.self, forKey: ConfigKey(key))) == false { return }
    let found = (try? container.decode(String.self, forKey: ConfigKey(key))).map(quoted)
    throw ConfigProblem(
      key: key, message: "is \(found ?? "set"); supported: only null, that is, a model without it",
      isUnsupported: true)
  }
}

/// One key of a configuration file.
struct ConfigKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ key: String) { stringValue = key }
  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { nil }
}

/// What is wrong with one key; whoever opened the file adds its path.
struct ConfigProblem: Error {
  let key: String
  let message: String
  var isUnsupported = false
}

/// A value that the published files write alone when it holds for every block, and as a list otherwise.
enum OneOrMany<Element: Decodable & Sendable>: Decodable, Sendable, CustomStringConvertible {
  case one(Element)
  case many([Element])

  /// As the file has it.
  var description: String {
    switch self {
    case .one(let element): "\(element)"
    case .many(let list): "\(list)"
    }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let list = try? container.decode([Element].self) {
      self = .many(list)
    } else {
      self = .one(try container.decode(Element.self))
    }
  }

  /// One value for each of `count` blocks.
  func expanded(to count: Int, key: String) throws -> [Element] {
    switch self {
    case .one(let element): return Array(repeating: element, count: count)
    case .many(let list):
      guard list.count == count else {
        throw ConfigProblem(key: key, message: "has \(list.count) values, expected \(count): one for each block")
      }
      return list
    }
  }
}

/// `value` as JSON writes it, near enough for a message.
func quoted(_ value: some Any) -> String {
  if let text = value as? String { return "\"\(text)\"" }
  return "\(value)"
}
