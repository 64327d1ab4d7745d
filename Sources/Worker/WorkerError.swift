/// Why a worker could not start; a schema that does not fit is a `MigrationError`.
public struct WorkerError: Error, Sendable, CustomStringConvertible {
  /// What kind of trouble it is; the command maps it to an exit code.
  public enum Code: String, Sendable, CaseIterable {
    /// The database refused this user, or does not exist.
    case databaseRefused = "database_refused"
    /// What must be there before the first job is not, a model say.
    case preparationFailed = "preparation_failed"
  }

  /// The kind.
  public var code: Code
  /// What is wrong and what to do.
  public var message: String
  /// What was thrown below.
  public var cause: (any Error)?

  /// An error that ends the worker before its first job.
  public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  /// The message.
  public var description: String { message }
}
