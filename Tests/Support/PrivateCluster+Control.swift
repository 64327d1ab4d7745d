import Foundation

extension PrivateCluster {
  /// How a server stops.
  public enum StopMode: String, Sendable {
    /// Sessions are ended (SQLSTATE 57P01), the shutdown is clean.
    case fast
    /// As a crash: no goodbye, recovery at the next start.
    case immediate
  }

  /// Stops the server; its files stay.
  public func stop(_ mode: StopMode = .fast) async throws {
    try await control("-m \(mode.rawValue) stop")
  }

  /// Starts the stopped server.
  public func startAgain() async throws {
    try await control("start")
  }

  /// Stops and starts the server.
  public func restart(_ mode: StopMode = .fast) async throws {
    try await control("-m \(mode.rawValue) restart")
  }

  /// From now on everybody but `postgres` needs a password.
  public func requirePasswords() async throws {
    // In place, so that the file stays its owner's.
    let file = try FileHandle(forWritingTo: URL(filePath: "\(folder)/data/pg_hba.conf"))
    try file.truncate(atOffset: 0)
    try file.write(contentsOf: Data("local all postgres trust\nlocal all all scram-sha-256\n".utf8))
    try file.close()
    try await psql("SELECT pg_reload_conf()")
  }

  /// What the server has logged so far.
  public func log() async throws -> String {
    try await Process.output(of: ["cat", "\(folder)/server.log"])
  }

  /// Runs SQL through psql, a statement at a time, and returns what it printed: fields apart by `|`, no header.
  ///
  /// Through psql, so that the tests of the client do not rest on the client.
  @discardableResult
  public func psql(_ statements: String..., on databaseURL: String? = nil) async throws -> String {
    try await Process.output(
      of: ["\(binaries.folder)/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", databaseURL ?? url()]
        + statements.flatMap { ["-c", $0] })
  }
}
