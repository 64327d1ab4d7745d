/// Why something with the database failed.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure, for code; `sqlState` is finer where the server spoke.
  public enum Code: String, Sendable {
    /// The URL, the environment or the password source is wrong.
    case configuration
    /// No connection could be made.
    case connect
    /// The connection broke, was closed, or the server did not answer in time. Whether a statement that was running
    /// took effect is unknown.
    case connectionLost
    /// The server refused or aborted the statement; `sqlState` says why.
    case server
    /// A value, a statement or the order of calls that cannot work; nothing was sent.
    case misuse
    /// A result does not have the expected column, type or number of rows.
    case decoding
  }

  /// The kind of failure.
  public var code: Code
  /// The server's five-character SQLSTATE, when the server spoke; of a refused connection too.
  public var sqlState: String?
  /// What is wrong and what to do, without passwords.
  public var message: String
  /// The server's DETAIL.
  public var detail: String?
  /// The server's HINT, or what to try.
  public var hint: String?
  /// Where in PL/pgSQL it happened: the server's CONTEXT.
  public var context: String?
  /// The schema of the table concerned.
  public var schema: String?
  /// The table concerned.
  public var table: String?
  /// The column concerned.
  public var column: String?
  /// The constraint that was violated.
  public var constraint: String?
  /// The character of the statement, from 1, that the error is about.
  public var position: Int?
  /// The server ended the session with this error.
  var isFatal = false
  /// The server wants a password, and there is none.
  var isPasswordMissing = false

  /// An error of this client's own or, with `sqlState`, as the server would report it.
  public init(
    _ code: Code, _ message: String, sqlState: String? = nil, detail: String? = nil, hint: String? = nil,
    column: String? = nil, constraint: String? = nil
  ) {
    self.code = code
    self.message = message
    self.sqlState = sqlState
    self.detail = detail
    self.hint = hint
    self.column = column
    self.constraint = constraint
  }

  /// The connection is of no more use: connect again.
  ///
  /// True also for SQLSTATE 25006, a write refused by a read-only server: after a failover the old primary keeps
  /// answering as a standby, and only a new connection finds the new one.
  public var isConnectionFailure: Bool {
    switch code {
    case .connect, .connectionLost: true
    case .server:
      isFatal || sqlState.map { $0.hasPrefix("08") || Self.connectionStates.contains($0) } ?? false
    case .configuration, .misuse, .decoding: false
    }
  }

  /// The server is there and turns this client away: a wrong or missing password, no such user or database, no right to
  /// connect (SQLSTATE class 28, 3D000, 42501). Waiting does not mend it; a person must.
  public var isRefusal: Bool {
    guard code == .connect else { return false }
    return isPasswordMissing || sqlState.map { $0.hasPrefix("28") || $0 == "3D000" || $0 == "42501" } ?? false
  }

  /// The same statements may succeed when run again: a deadlock, a serialization failure, a lost connection, a server
  /// that restarts or has no free session.
  ///
  /// After a lost connection the first run may have taken effect: run again only what is idempotent.
  public var isRetryable: Bool {
    isConnectionFailure || sqlState == "40001" || sqlState == "40P01"
  }

  /// The server cancelled the statement because it ran longer than `statement_timeout`, or because someone asked
  /// (SQLSTATE 57014).
  public var isQueryCanceled: Bool { sqlState == "57014" }

  /// read_only_sql_transaction, admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections,
  /// idle_in_transaction_session_timeout, idle_session_timeout.
  private static let connectionStates: Set = ["25006", "57P01", "57P02", "57P03", "53300", "25P03", "57P05"]

  /// The message with everything else that is known, in psql's order.
  public var description: String {
    var text = message
    if let sqlState { text += " (SQLSTATE \(sqlState))" }
    if let detail { text += "\nDETAIL: \(detail)" }
    if let hint { text += "\nHINT: \(hint)" }
    if let context { text += "\nCONTEXT: \(context)" }
    return text
  }
}
