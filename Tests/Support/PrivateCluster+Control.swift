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
    try await control(["-m", mode.rawValue, "-w", "stop"])
  }

  /// Starts the stopped server.
  public func startAgain() async throws {
    try await control(["-l", "\(folder)/server.log", "-w", "start"])
  }

  /// Stops and starts the server.
  public func restart(_ mode: StopMode = .fast) async throws {
    try await control(["-l", "\(folder)/server.log", "-m", mode.rawValue, "-w", "restart"])
  }

  /// What the server has logged so far.
  public func log() async throws -> String {
    try await Process.output(of: ["cat", "\(folder)/server.log"])
  }

  private func control(_ arguments: [String]) async throws {
    _ = try await Process.output(
      of: binaries.unprivileged(
        ["bash", "-c", Self.closingDescriptors, "pg_ctl", "\(binaries.folder)/pg_ctl", "-D", "\(folder)/data", "-s"]
          + arguments))
  }

  /// Runs its arguments with nothing inherited but the standard streams. `Process` learns of the end through a descriptor
  /// that its child inherits, and a server started by pg_ctl would hold that one for as long as it runs.
  private static let closingDescriptors = """
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      if ((fd > 2)); then eval "exec $fd>&-"; fi
    done
    exec "$@"
    """

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
