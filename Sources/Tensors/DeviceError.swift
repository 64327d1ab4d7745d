/// What a device can suffer, as opposed to what a caller can do wrong (a precondition).
public struct DeviceError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kinds of failure.
  public enum Code: String, Sendable {
    /// An instruction set was asked for that is unknown or that this processor does not have.
    case unsupportedInstructions
  }

  /// What happened.
  public let code: Code
  /// What is wrong and what to do about it.
  public let message: String

  /// A failure with its remedy.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The message.
  public var description: String { message }
}
