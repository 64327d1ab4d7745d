import Foundation
import Synchronization

/// A PostgreSQL server that belongs to this test process alone: fresh, in a folder under `/tmp`, reachable over its
/// Unix socket only, and gone when the process is, however it ended.
///
/// A shell watches over it that reads its orders from a pipe whose other end only this process holds. When the process
/// exits or is killed, the pipe closes and the shell stops the server and removes the folder; `atexit` would not run on
/// SIGKILL.
public final class PrivateCluster: Sendable {
  /// The folder with `data`, `server.log` and the socket. Short: a socket's path must fit in 107 bytes.
  public let folder: String
  let binaries: PostgresBinaries
  private let watcher: Mutex<Watcher?>

  /// One order at a time.
  private let orders = DispatchQueue(label: "tintype.tests.cluster")

  private struct Watcher {
    let process: Process
    /// Takes orders, and keeps the watching shell, and with it the server, alive while it is open.
    let input: FileHandle
    let output: FileHandle
  }

  private init(folder: String, binaries: PostgresBinaries, watcher: sending Watcher) {
    self.folder = folder
    self.binaries = binaries
    self.watcher = Mutex(watcher)
  }

  private static let sharedCluster = Task { try await start() }

  /// The one server of this test process; started by whoever asks first.
  ///
  /// - Throws: `PrivateClusterError` when PostgreSQL is missing or does not start.
  public static func shared() async throws -> PrivateCluster { try await sharedCluster.value }

  /// Starts a server of its own, for tests that stop or crash it. `remove()` ends it before the process does.
  ///
  /// - Parameter environment: added to the server's.
  public static func start(environment: [String: String] = [:]) async throws -> PrivateCluster {
    let binaries = try PostgresBinaries.find()
    return try await withCheckedThrowingContinuation { continuation in
      DispatchQueue(label: "tintype.tests.cluster").async {
        continuation.resume(with: Result { try launch(binaries, environment) })
      }
    }
  }

  /// The shell script that makes, starts and watches the server; `$1` is the folder of PostgreSQL's programs.
  ///
  /// fsync is off and the caches are small because nothing here must survive a power cut. Ctrl-C in the terminal must
  /// not end the watcher before the test process, so it ignores the signals.
  private static let script = """
    set -eu
    trap '' INT TERM HUP
    umask 077
    programs=$1
    folder=$(mktemp -d /tmp/tintype-pg.XXXXXX)
    cleanup() {
      "$programs/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
      rm -rf "$folder"
    }
    if ! "$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \\
        >"$folder/initdb.log" 2>&1; then
      cat "$folder/initdb.log"; cleanup; exit 1
    fi
    cat >>"$folder/data/postgresql.conf" <<CONF
    listen_addresses = ''
    unix_socket_directories = '$folder'
    fsync = off
    full_page_writes = off
    shared_buffers = 32MB
    max_connections = 500
    timezone = 'UTC'
    log_line_prefix = '%m [%p] %q%d '
    CONF
    if ! "$programs/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w start >"$folder/start.log" 2>&1; then
      cat "$folder/start.log" "$folder/server.log" 2>/dev/null; cleanup; exit 1
    fi
    echo "ready $folder"
    while read -r command; do
      if "$programs/pg_ctl" -D "$folder/data" -l "$folder/server.log" -s -w $command \\
          </dev/null >"$folder/control.log" 2>&1; then
        echo done
      else
        echo failed
      fi
    done
    cleanup
    """

  private static func launch(
    _ binaries: PostgresBinaries, _ environment: [String: String]
  ) throws -> PrivateCluster {
    let command = try binaries.unprivileged(["sh", "-c", script, "tintype-test-cluster", binaries.folder])
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    process.currentDirectoryURL = URL(filePath: "/")
    let (input, output) = try ProcessLaunch.exclusively {
      let input = Pipe()
      let output = Pipe()
      process.standardInput = input
      process.standardOutput = output
      process.standardError = output
      // A program that a test starts must not hold the pipe open after this process has ended.
      guard fcntl(input.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC) == 0 else {
        throw PrivateClusterError("FD_CLOEXEC could not be set on the watcher's pipe (errno \(errno)).")
      }
      try process.run()
      try? output.fileHandleForWriting.close()
      try? input.fileHandleForReading.close()
      return (input, output)
    }
    var said = ""
    while !said.hasSuffix("\n") || !said.contains("ready /") {
      let chunk = output.fileHandleForReading.availableData
      guard !chunk.isEmpty else {
        throw PrivateClusterError("The test PostgreSQL server did not start:\n\(said)")
      }
      said += String(decoding: chunk, as: UTF8.self)
    }
    let ready = said.split(separator: "\n").last { $0.hasPrefix("ready /") } ?? ""
    return PrivateCluster(
      folder: String(ready.dropFirst("ready ".count)), binaries: binaries,
      watcher: Watcher(process: process, input: input.fileHandleForWriting, output: output.fileHandleForReading))
  }

  /// A URL of one of the server's databases, as its superuser.
  public func url(database: String = "postgres", user: String = "postgres") -> String {
    "postgresql:///\(database)?host=\(folder)&user=\(user)"
  }

  /// Has the watching shell run pg_ctl. Foundation's `Process` must not start the server itself: the server would
  /// inherit what `Process` recognises the end by, and pg_ctl would seem to run as long as the server.
  ///
  /// - Throws: `PrivateClusterError` with what pg_ctl said.
  func control(_ command: String) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      orders.async {
        continuation.resume(with: Result { try self.watcher.withLock { try self.order(command, of: $0) } })
      }
    }
  }

  private func order(_ command: String, of watcher: Watcher?) throws {
    guard let watcher else { throw PrivateClusterError("The cluster in \(folder) has been removed.") }
    try watcher.input.write(contentsOf: Data("\(command)\n".utf8))
    let answer = String(decoding: watcher.output.availableData, as: UTF8.self)
    guard answer == "done\n" else {
      let said = (try? String(contentsOfFile: "\(folder)/control.log", encoding: .utf8)) ?? ""
      throw PrivateClusterError("`pg_ctl \(command)` failed for \(folder):\n\(said)")
    }
  }

  /// Stops the server and removes its folder. For clusters from `start()`.
  public func remove() async {
    await withCheckedContinuation { continuation in
      orders.async {
        if let watcher = self.watcher.withLock({ $0.take() }) {
          try? watcher.input.close()
          watcher.process.waitUntilExit()
        }
        continuation.resume()
      }
    }
  }
}
