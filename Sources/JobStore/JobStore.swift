public import Postgres

/// The queue, as a program sees it: every statement that is sent to the database, and what comes back as values.
///
/// The queue's rules are in the database (`Migrations/`), where they hold for every client; nothing is decided here.
/// Whatever the database refuses arrives as a `PostgresError`: SQLSTATE 23514 with `column` for a request that can never
/// run, 23505 for an idempotency key that another request has used, 55000 for a job in the wrong state, P0002 for one
/// that does not exist.
public struct JobStore: Sendable {
  let session: PostgresSession

  /// A queue reached through `session`. Calls share its one connection and take turns on it: give the heartbeat one of
  /// its own, so that it never waits for a claim.
  public init(session: PostgresSession) { self.session = session }

  /// The channel that says work is ready; the payload is a queue's name.
  public static let readyChannel = "tintype_ready"
  /// The channel that says a heartbeat's reply has news; the payload is a worker's id.
  public static let controlChannel = "tintype_control"

  /// Runs a statement that may take effect twice without harm: again after a deadlock or a lost connection.
  func repeatable(_ sql: String, _ parameters: [PostgresValue?] = []) async throws -> PostgresResult {
    try await session.withRetries { try await $0.query(sql, parameters) }
  }

  /// Runs a statement once.
  func once(_ sql: String, _ parameters: [PostgresValue?] = []) async throws -> PostgresResult {
    try await session.withConnection { try await $0.query(sql, parameters) }
  }
}

extension PostgresResult {
  /// The only row of a call of a function.
  func only() throws -> PostgresRow {
    guard rows.count == 1, let row = rows.first else {
      throw PostgresError(.decoding, "The database returned \(rows.count) rows where one is expected.")
    }
    return row
  }
}

extension PostgresValue {
  static func interval(_ duration: Duration) -> PostgresValue { .text("\(duration / .seconds(1)) seconds") }
  static func optional(_ text: String?) -> PostgresValue? { text.map { .text($0) } }
  static func optional(_ number: Int?) -> PostgresValue? { number.map { .int(Int64($0)) } }
  static func optional(_ number: Int64?) -> PostgresValue? { number.map { .int($0) } }
  static func optional(_ number: Double?) -> PostgresValue? { number.map { .double($0) } }
}

extension String {
  /// Text that came from outside may hold U+0000, which PostgreSQL cannot store; an error must not be lost for that.
  var storable: String {
    utf8.contains(0) ? String(String.UnicodeScalarView(unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 })) : self
  }
}
