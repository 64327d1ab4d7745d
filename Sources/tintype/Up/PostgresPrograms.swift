import Foundation

/// The programs of a PostgreSQL server on this machine.
struct PostgresPrograms {
  /// The folder with `initdb`, `pg_ctl` and `postgres`.
  let folder: String

  /// Looks on `PATH` and where Debian puts them, the newest first.
  ///
  /// - Parameter version: the major version that existing data need; nil for any.
  static func find(version: Int?) throws -> PostgresPrograms {
    let packaged = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: packaged)) ?? []).compactMap(Int.init)
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let folders = path.split(separator: ":").map(String.init) + versions.sorted(by: >).map { "\(packaged)/\($0)/bin" }
    for folder in folders {
      // Often a lone symbolic link stands on PATH; its neighbours are where it points.
      let real = URL(filePath: "\(folder)/initdb").resolvingSymlinksInPath().deletingLastPathComponent().path
      let isComplete = ["initdb", "pg_ctl", "postgres"].allSatisfy {
        FileManager.default.isExecutableFile(atPath: "\(real)/\($0)")
      }
      guard isComplete else { continue }
      let programs = PostgresPrograms(folder: real)
      if try version == nil || programs.majorVersion() == version { return programs }
    }
    throw CommandError(
      .unavailable,
      "PostgreSQL\(version.map { " \($0)" } ?? "")'s server programs (initdb, pg_ctl, postgres) are neither on PATH nor in "
        + "\(packaged).",
      remedy: version == nil
        ? "Install them: `apt-get install postgresql` on Debian and Ubuntu."
        : "The data were made by this version: install it, or move the data with pg_upgrade.")
  }

  func program(_ name: String) -> String { "\(folder)/\(name)" }

  /// From `postgres (PostgreSQL) 15.8 (Debian …)`.
  private func majorVersion() throws -> Int? {
    let text = try ServerCommand.run([program("postgres"), "--version"]).output
    return text.firstMatch(of: /\(PostgreSQL\) (\d+)/).flatMap { Int($0.1) }
  }
}

/// Programs that are run to their end, their output kept for the error.
enum ServerCommand {
  struct Outcome {
    let status: Int32
    let output: String
  }

  /// Runs a command in the root folder: the caller's may be closed to the user that the command runs as.
  static func run(_ command: [String]) throws -> Outcome {
    // A file, not a pipe: a server that the command starts inherits it, and reading a pipe would never end.
    let file = FileManager.default.temporaryDirectory.appending(path: "tintype-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    let status = try ChildProcess(command, output: file.path, folder: "/").wait()
    return Outcome(status: status, output: (try? String(contentsOf: file, encoding: .utf8)) ?? "")
  }
}
