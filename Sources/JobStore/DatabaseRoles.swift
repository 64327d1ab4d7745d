public import Postgres

/// Whom a connection speaks as, and which of Tintype's roles that user has.
public struct DatabaseRoles: Sendable, Equatable {
  /// Of the server, as `15.8`.
  public let serverVersion: String
  /// The user.
  public let user: String
  /// Tintype's roles that exist in the cluster, without their prefix, sorted.
  public let existing: [String]
  /// Those of them that the user has; a superuser has all.
  public let granted: [String]

  /// Asks the server.
  public init(_ connection: PostgresConnection) async throws {
    let facts = try await connection.query(
      "SELECT current_setting('server_version') AS version, current_user::text AS name")
    serverVersion = try facts.rows[0].decode("version", String.self)
    user = try facts.rows[0].decode("name", String.self)
    let rows = try await connection.query(
      """
      SELECT substr(rolname, 9) AS name, pg_has_role(current_user, oid, 'MEMBER') AS granted
        FROM pg_roles WHERE rolname IN ('tintype_owner', 'tintype_enqueuer', 'tintype_worker', 'tintype_reader', 'tintype_admin')
       ORDER BY rolname
      """
    ).rows
    existing = try rows.map { try $0.decode("name", String.self) }
    granted = try rows.filter { try $0.decode("granted", Bool.self) }.map { try $0.decode("name", String.self) }
  }
}
