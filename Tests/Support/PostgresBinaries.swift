import Foundation

/// Where the PostgreSQL server's programs are, and how to run them: the server refuses to run as root.
public struct PostgresBinaries: Sendable {
  /// The folder with `initdb`, `pg_ctl`, `postgres` and `psql`.
  public let folder: String

  /// Finds the programs: on `PATH` first, else the highest version under `/usr/lib/postgresql`.
  ///
  /// - Throws: `PrivateClusterError` that says how to install them. Tests fail on it; a skipped database test would
  ///   look like a passed one.
  public static func find() throws -> PostgresBinaries {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let packaged = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: packaged)) ?? [])
      .compactMap(Int.init).sorted(by: >)
    let folders = path.split(separator: ":").map(String.init) + versions.map { "\(packaged)/\($0)/bin" }
    for folder in folders {
      // Often a lone symbolic link stands on PATH; its neighbours are where it points.
      let initdb = URL(filePath: "\(folder)/initdb").resolvingSymlinksInPath()
      let real = initdb.deletingLastPathComponent().path
      if ["initdb", "pg_ctl", "postgres", "psql"].allSatisfy({
        FileManager.default.isExecutableFile(atPath: "\(real)/\($0)")
      }) {
        return PostgresBinaries(folder: real)
      }
    }
    throw PrivateClusterError(
      """
      The tests need the PostgreSQL server's programs (initdb, pg_ctl, postgres, psql), and they are neither on PATH nor \
      under \(packaged). Install them: `apt-get install postgresql` on Debian and Ubuntu, `dnf install \
      postgresql-server` on Fedora.
      """)
  }

  /// The command that runs `command` as a user whom the server accepts: oneself, or `postgres` when root.
  public func unprivileged(_ command: [String]) throws -> [String] {
    guard getuid() == 0 else { return command }
    guard unsafe getpwnam("postgres") != nil else {
      throw PrivateClusterError(
        "PostgreSQL refuses to run as root, and there is no user `postgres` to run it as: `useradd -r postgres`.")
    }
    // setpriv replaces itself by the command; runuser would stay in between and handle signals itself.
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + command
  }
}

/// The test database could not be started or used.
public struct PrivateClusterError: Error, CustomStringConvertible {
  /// What is wrong, and how to mend it.
  public let description: String
  init(_ description: String) { self.description = description }
}

extension Process {
  /// Runs a command found on `PATH` to its end, off the cooperative pool, and returns what it printed.
  static func output(of command: [String]) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue(label: "tintype.tests.command").async {
        continuation.resume(with: Result { try runToEnd(command) })
      }
    }
  }

  private static func runToEnd(_ command: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    // The caller's folder may be closed to the user that the command runs as.
    process.currentDirectoryURL = URL(filePath: "/")
    process.standardInput = FileHandle.nullDevice
    let output = try ProcessLaunch.exclusively {
      let output = Pipe()
      process.standardOutput = output
      process.standardError = output
      try process.run()
      return output
    }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw PrivateClusterError(
        "`\(command.joined(separator: " "))` ended with \(process.terminationStatus):\n\(text)")
    }
    return text
  }
}
