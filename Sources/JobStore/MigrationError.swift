/// Why the schema cannot be used or brought up to date.
public struct MigrationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of trouble.
  public enum Code: String, Sendable {
    /// The database has migrations that this program does not know: it is too old.
    case schemaIsNewer
    /// The database lacks migrations, or has never been migrated.
    case schemaIsOlder
    /// A file was changed after it had been applied.
    case appliedFileWasEdited
  }
  /// The kind of trouble.
  public var code: Code
  /// What is wrong and what to do.
  public var message: String

  /// The message.
  public var description: String { message }
}
