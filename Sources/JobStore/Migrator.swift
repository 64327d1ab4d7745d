public import Migrations
public import Postgres

/// Brings a database's schema up to date, or tells how far it is.
///
/// Any number of processes may migrate at once: each migration is a transaction that begins by taking one lock, and looks
/// only then at what has been applied.
public struct Migrator: Sendable {
  private let connection: PostgresConnection
  private let known: [Migration]

  /// - Parameters:
  ///   - connection: of a user who may create schemas and, for the roles, roles.
  ///   - migrations: every one, in order.
  public init(connection: PostgresConnection, migrations: [Migration] = Migrations.migrations) {
    self.connection = connection
    known = migrations
  }

  /// A migration, and when it was applied here: ISO 8601, UTC; nil if it has not been.
  public struct Status: Sendable, Equatable {
    /// Number in the file's name.
    public var version: Int
    /// The file's name without `.sql`.
    public var name: String
    /// Nil if it has not been applied.
    public var appliedAt: String?
  }

  /// Applies what is missing, in order, each in a transaction of its own.
  ///
  /// - Parameter applied: told the name of each as soon as it is applied, and the share of all that are, 0…1.
  /// - Returns: the names of those that this call applied; the others were there.
  /// - Throws: `MigrationError` before anything is changed; `PostgresError` of a migration that failed and was rolled back.
  @discardableResult
  public func migrate(applied report: (_ name: String, _ share: Double) -> Void = { _, _ in }) async throws -> [String]
  {
    var applied: [String] = []
    while let name = try await applyNext() {
      applied.append(name)
      let place = (known.firstIndex { $0.name == name } ?? 0) + 1
      report(name, Double(place) / Double(known.count))
    }
    return applied
  }

  /// Every migration that this program knows.
  ///
  /// - Throws: `MigrationError` when the database has others, or other versions of these.
  public func status() async throws -> [Status] {
    let applied = try await check(connection)
    return known.map { Status(version: $0.version, name: $0.name, appliedAt: applied[$0.version]) }
  }

  /// - Throws: `MigrationError` unless the database has exactly the migrations that this program knows.
  public func requireCurrent() async throws {
    guard let missing = try await status().first(where: { $0.appliedAt == nil }) else { return }
    throw MigrationError(
      code: .schemaIsOlder,
      message: "The database's schema is not up to date: \(missing.name) has not been applied. Run `tintype migrate`.")
  }

  /// For a program that works with the database: not only the schema that it was made for will do, but any later one that
  /// still serves it, so that a database can be migrated while older workers run and start.
  ///
  /// - Throws: `MigrationError`.
  public func requireUsable() async throws {
    do {
      try await requireCurrent()
    } catch let error as MigrationError where error.code == .schemaIsNewer {
      guard let last = known.last?.version, let oldest = try await oldestProgram(), last >= oldest else { throw error }
    }
  }

  private func oldestProgram() async throws -> Int? {
    let table = try await connection.query("SELECT to_regclass('tintype.compatibility') IS NOT NULL AS exists").rows
      .first
    guard try table?.decode("exists") == true else { return nil }
    return try await connection.query("SELECT oldest_program FROM tintype.compatibility").rows.first?
      .decode("oldest_program")
  }

  private func applyNext() async throws -> String? {
    try await connection.transaction { connection in
      // Others may be migrating for longer than a statement may usually take, and so may a migration.
      try await connection.query("SET LOCAL statement_timeout = 0")
      try await connection.query("SELECT pg_advisory_xact_lock(hashtext('tintype.migrate'), 0)")
      let applied = try await check(connection)
      guard let next = known.first(where: { applied[$0.version] == nil }) else { return nil }
      try await connection.execute(next.sql)
      try await connection.query(
        """
        INSERT INTO tintype.migrations (version, name, checksum)
          VALUES ($1, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'))
        """, [.int(Int64(next.version)), .text(next.name), .text(next.sql)])
      return next.name
    }
  }

  /// The applied versions, all of them known and unchanged, with their times.
  private func check(_ connection: isolated PostgresConnection) async throws -> [Int: String] {
    let table = try await connection.query("SELECT to_regclass('tintype.migrations') IS NOT NULL AS exists").rows.first
    guard try table?.decode("exists") == true else { return [:] }
    let byVersion = Dictionary(uniqueKeysWithValues: known.map { ($0.version, $0) })
    let versions = known.map { Int64($0.version) }
    let rows = try await connection.query(
      """
      SELECT m.version, m.name, m.checksum = encode(sha256(convert_to(known.sql, 'UTF8')), 'hex') AS unchanged,
             to_char(m.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS applied_at
        FROM tintype.migrations m
        LEFT JOIN unnest($1::integer[], $2::text[]) AS known (version, sql) USING (version) ORDER BY m.version
      """, [.intArray(versions), .textArray(known.map(\.sql))]
    ).rows
    var applied: [Int: String] = [:]
    for row in rows {
      let version = try row.decode("version", Int.self)
      let name = try row.decode("name", String.self)
      guard let migration = byVersion[version] else {
        throw MigrationError(
          code: .schemaIsNewer,
          message: "The database's schema is newer than this program: it has \(name), and the last known here is "
            + "\(known.last?.name ?? "none"). Install the version of tintype that migrated it, or a later one.")
      }
      guard try row.decode("unchanged"), migration.name == name else {
        throw MigrationError(
          code: .appliedFileWasEdited,
          message: "Migration \(name) has been changed since it was applied to this database. Restore the file, and "
            + "put the change into a new migration.")
      }
      applied[version] = try row.decode("applied_at")
    }
    return applied
  }
}
