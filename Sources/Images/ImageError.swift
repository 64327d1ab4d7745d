/// Why a file could not be read as a picture, or a picture not be written.
public struct ImageError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure it is.
  public enum Code: String, Sendable, CaseIterable {
    /// Not a type of file that is read here.
    case unsupportedType = "unsupported_type"
    /// A legal file of a kind that is not read here.
    case unsupportedFeature = "unsupported_feature"
    /// Larger than the limits allow.
    case tooLarge = "too_large"
    /// The file ends too early.
    case truncated
    /// The file contradicts its format.
    case corrupt
    /// A text that cannot be written into a PNG.
    case invalidText = "invalid_text"
  }

  /// Kind of failure.
  public let code: Code
  /// What is wrong, and what to do.
  public let message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// `message`.
  public var description: String { message }
}

/// Room for the text of a C library's error.
struct ErrorText {
  /// What the library writes into; the text ends at a zero.
  var characters: [CChar]

  init(capacity: Int32) { characters = [CChar](repeating: 0, count: Int(capacity)) }

  var text: String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
