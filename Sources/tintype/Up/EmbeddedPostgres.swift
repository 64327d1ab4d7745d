import Foundation
import Postgres

/// A PostgreSQL server of Tintype's own, in a folder of its own: no TCP, no shared cluster, nothing to configure.
///
/// The folder is closed to everyone but the server's user (and root), and the only socket lies in it; that is the
/// authentication. Root may not run the server, so for root it runs as `postgres`.
struct EmbeddedPostgres {
  /// `data`, `server.log` and the socket.
  let folder: String
  private let programs: PostgresPrograms
  /// Nil: the caller's own.
  private let user: String?

  /// Socket addresses hold 107 bytes and a terminating zero.
  private static let longestSocketFolder = 107 - "/.s.PGSQL.5432".utf8.count

  /// Finds the server's programs, those that fit the data if there are some; starts nothing.
  init(folder: String) throws {
    guard folder.utf8.count <= Self.longestSocketFolder else {
      throw CommandError(
        .usage, "--state-dir: \(folder) is too long a path for a socket (at most \(Self.longestSocketFolder) bytes).",
        remedy: "Give a shorter one.")
    }
    self.folder = folder
    let version = try? String(contentsOfFile: "\(folder)/data/PG_VERSION", encoding: .utf8)
    programs = try PostgresPrograms.find(
      version: version.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
    user = getuid() == 0 ? "postgres" : nil
  }

  /// Where the schema lives, for libpq.
  var databaseURL: String { url(database: "tintype") }

  var isInitialised: Bool { FileManager.default.fileExists(atPath: "\(folder)/data/PG_VERSION") }

  /// Starts the server if it is not running, making it at the first time. The caller holds the state folder's lock.
  func start() async throws {
    try prepareFolder()
    if !isInitialised { try initialise() }
    if !(try isRunning()) {
      // pg_ctl hands these words to a shell. It waits for long: after a power cut the server first repairs its data.
      let socket = folder.replacingOccurrences(of: "'", with: #"'\''"#)
      try run(
        [
          programs.program("pg_ctl"), "-D", "\(folder)/data", "-l", "\(folder)/server.log", "-w", "-t", "600", "-s",
          "start", "-o",
          "-c listen_addresses='' -c unix_socket_directories='\(socket)' -c unix_socket_permissions=0700 "
            + "-c cluster_name=tintype",
        ], to: "start PostgreSQL (its log is \(folder)/server.log)")
    }
    try await createDatabase()
  }

  /// Makes the data beside their place and moves them there when they are whole: an initdb that was killed leaves data
  /// that look like a database and never start.
  private func initialise() throws {
    let unfinished = "\(folder)/data.unfinished"
    if FileManager.default.fileExists(atPath: unfinished) { try FileManager.default.removeItem(atPath: unfinished) }
    try run(
      [
        programs.program("initdb"), "-D", unfinished, "-U", "tintype", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
      ], to: "create the database")
    try FileManager.default.moveItem(atPath: unfinished, toPath: "\(folder)/data")
  }

  /// Stops the server; sessions are ended. False when it was not running.
  func stop() throws -> Bool {
    guard isInitialised, try isRunning() else { return false }
    try run(
      [programs.program("pg_ctl"), "-D", "\(folder)/data", "-m", "fast", "-w", "-s", "stop"], to: "stop PostgreSQL")
    return true
  }

  func isRunning() throws -> Bool {
    // 0: running; 3: not; 4: no access to the data.
    try ServerCommand.run(asUser([programs.program("pg_ctl"), "-D", "\(folder)/data", "status"])).status == 0
  }

  private func createDatabase() async throws {
    let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url(database: "postgres")))
    do {
      try await connection.query("CREATE DATABASE tintype")
    } catch let error as PostgresError where error.sqlState == "42P04" {
      // It is there already.
    } catch {
      await connection.close()
      throw error
    }
    await connection.close()
  }

  private func url(database: String) -> String {
    let host = folder.addingPercentEncoding(
      withAllowedCharacters: .urlHostAllowed.union(CharacterSet(charactersIn: "/")))
    return "postgresql:///\(database)?host=\(host ?? folder)&user=tintype"
  }

  private func prepareFolder() throws {
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    // Who can reach the socket is let in, so a folder that was there before is closed as well.
    do {
      try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder)
    } catch {
      throw CommandError(
        .unavailable, "--state-dir: \(folder) belongs to another user.", remedy: "Give a folder of your own.")
    }
    guard let user else { return }
    let owner = try? FileManager.default.attributesOfItem(atPath: folder)[.ownerAccountName] as? String
    guard owner != user else { return }
    let outcome = try ServerCommand.run(["chown", "\(user):", folder])
    guard outcome.status == 0 else {
      throw CommandError(
        .unavailable, "PostgreSQL refuses to run as root, and there is no user `\(user)` to run it as.",
        remedy: "`apt-get install postgresql` creates it; or run this command as an ordinary user.")
    }
  }

  private func asUser(_ command: [String]) -> [String] {
    // setpriv becomes the command; runuser would stay in between.
    user.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--init-groups", "--"] + command } ?? command
  }

  private func run(_ command: [String], to purpose: String) throws {
    let outcome = try ServerCommand.run(asUser(command))
    guard outcome.status != 0 else { return }
    let said = outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
    throw CommandError(
      .unavailable, "cannot \(purpose): \(said)",
      remedy: user.map { "The server runs as user \($0), who must be able to enter \(folder): see --state-dir." })
  }
}
