import Foundation
import Jobs
import Postgres
import TestSupport
import Testing
import Worker

/// A real PgBouncer in transaction mode between worker and server: no session state survives, no notification arrives.
@Suite(.timeLimit(.minutes(2))) struct PoolerTests {
  @Test func everythingButTheWakeUpCallWorksThroughATransactionPooler() async throws {
    try await withBench { bench in
      let pooler = try await Pooler.start(for: bench.url)
      let url = pooler.url
      let result: Result<Void, any Error>
      do { result = .success(try await work(WorkerBench(url: url, connection: bench.connection))) } catch {
        result = .failure(error)
      }
      pooler.stop()
      try result.get()
    }
  }

  private func work(_ bench: WorkerBench) async throws {
    let never = Gate()
    let handler = ScriptedHandler { job, reporter in
      if job.prompt == "for ever" { try await never.pass() }
      return .pictures(of: job)
    }
    // The times of production, for what they promise. The pool is smaller than the number of connections.
    let service = bench.service(handler) {
      $0.slots = 3
      $0.heartbeatInterval = .seconds(4)
      $0.pollInterval = .seconds(2)
      $0.maxJobs = 31
    }
    let jobs = try await bench.insert(30)
    let endless = try await bench.insert(values: "'for ever'")[0]
    var asked = ContinuousClock.now
    try await running(service) { _ in
      try await bench.eventually("SELECT state = 'running' FROM tintype.jobs WHERE id = \(endless)")
      asked = .now
      try await bench.sql("SELECT tintype.cancel(\(endless))")
      try await bench.eventually("SELECT state = 'cancelled' FROM tintype.jobs WHERE id = \(endless)")
      // Heartbeats are four seconds apart, give or take a fifth, and nothing wakes them sooner.
      #expect(ContinuousClock.now - asked < .seconds(6))
    }
    #expect(try await bench.value("SELECT count(*) FROM tintype.jobs WHERE state = 'succeeded'") == jobs.count)
    #expect(try await bench.value("SELECT count(*) FROM tintype.attempts") == 31)
    #expect(handler.overlaps == [])
    #expect(try await bench.value("SELECT ended_by FROM tintype.workers") == "stop")
  }
}

/// PgBouncer, in a folder of its own.
private struct Pooler {
  let folder: String
  let process: Process
  let database: String

  var url: String { "postgresql:///\(database)?host=\(folder)&port=6432&user=postgres" }

  /// - Throws: when PgBouncer is not installed (Debian: pgbouncer; `make setup` sees to it) or does not start.
  static func start(for url: String) async throws -> Pooler {
    let parts = try #require(URLComponents(string: url))
    let host = try #require(parts.queryItems?.first { $0.name == "host" }?.value)
    let database = String(parts.path.dropFirst())
    let program = try #require(
      ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].first { FileManager.default.isExecutableFile(atPath: $0) },
      "PgBouncer is not installed: run `make setup`.")
    let folder = "/tmp/tintype-pooler.\(UInt32.random(in: 0 ..< .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    let settings = """
      [databases]
      \(database) = host=\(host) dbname=\(database) user=postgres
      [pgbouncer]
      listen_addr =
      unix_socket_dir = \(folder)
      listen_port = 6432
      auth_type = any
      pool_mode = transaction
      default_pool_size = 2
      logfile = \(folder)/log
      pidfile = \(folder)/pid
      """
    try settings.write(toFile: "\(folder)/pgbouncer.ini", atomically: true, encoding: .utf8)
    // PgBouncer refuses to run as root.
    let command = try PostgresBinaries.find().unprivileged([program, "\(folder)/pgbouncer.ini"])
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    try ProcessLaunch.exclusively {
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
    }
    let pooler = Pooler(folder: folder, process: process, database: database)
    let deadline = ContinuousClock.now + .seconds(10)
    while !FileManager.default.fileExists(atPath: "\(folder)/.s.PGSQL.6432") {
      try #require(process.isRunning && ContinuousClock.now < deadline, "PgBouncer does not start: \(folder)/log")
      try await Task.sleep(for: .milliseconds(20))
    }
    return pooler
  }

  func stop() {
    if let text = try? String(contentsOfFile: "\(folder)/pid", encoding: .utf8),
      let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
    {
      // Started from a thread that has every other signal blocked, it could not receive them; and it has nothing to lose.
      kill(pid, SIGKILL)
    }
    process.waitUntilExit()
    try? FileManager.default.removeItem(atPath: folder)
  }
}
