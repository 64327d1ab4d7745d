/// Why a model could not be loaded or a picture not be made.
public struct DiffusionError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure it is; decides whether another try can help.
  public enum Code: String, Sendable, CaseIterable {
    /// The request cannot be served by any worker with this model. Permanent.
    case invalidRequest = "invalid_request"
    /// The checkpoint is incomplete, inconsistent or of a kind that is not supported. Permanent for this file.
    case checkpoint
    /// A network produced NaN or infinity. No picture is made of it.
    case notFinite = "not_finite"
  }

  /// Kind of failure.
  public let code: Code
  /// The offending field of the request by its public name (`guidance_scale`), if it is one field's fault.
  public let field: String?
  /// What is wrong, with the legal values and the remedy.
  public let message: String

  /// An error of a kind, with a message for a person.
  public init(_ code: Code, field: String? = nil, _ message: String) {
    self.code = code
    self.field = field
    self.message = message
  }

  /// `message`.
  public var description: String { message }
}
