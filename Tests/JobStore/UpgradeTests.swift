import Foundation
import JobStore
import Migrations
import Postgres
import TestSupport
import Testing

/// A rolling upgrade: the database is migrated first, and workers of the version before go on, and start, until each has
/// been replaced.
@Suite struct UpgradeTests {
  /// A program of an earlier version, as its statements.
  private struct OldProgram {
    let connection: PostgresConnection
    private let statements: [String: String]

    /// - Parameter version: its last migration, and the name of the fixture that holds its statements.
    init(_ version: String, on connection: PostgresConnection) throws {
      self.connection = connection
      let text = try String(
        contentsOf: ProjectFiles.fixtures.appending(path: "upgrade/\(version).sql"), encoding: .utf8)
      var statements: [String: String] = [:]
      for line in text.split(separator: "\n") where !line.hasPrefix("--") {
        let parts = line.split(separator: ":", maxSplits: 1)
        statements[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces)
      }
      self.statements = statements
    }

    /// Sends a statement; parameters that are not given are null.
    func send(_ name: String, _ parameters: PostgresValue?...) async throws -> PostgresRow? {
      let sql = try #require(statements[name])
      let count = sql.matches(of: /\$(\d+)/).compactMap { Int($0.output.1) }.max() ?? 0
      let unset = [PostgresValue?](repeating: nil, count: count - parameters.count)
      return try await connection.query(sql, parameters + unset).rows.first
    }

    func register() async throws -> Int64 {
      try await #require(
        send(
          "register", .text("old"), .text("h"), .int(1), .text("0"), .textArray(["default"]), .textArray(["m"]),
          .int(1),
          .text("10 minutes"))
      ).decode("id")
    }

    func enqueue() async throws -> Int64 { try await #require(send("enqueue", .text("a red boat"))).decode("id") }

    func claim(_ worker: Int64) async throws -> (id: Int64, attempt: Int64) {
      let job = try await #require(
        send("claim", .int(worker), .textArray(["default"]), .textArray(["m"]), .int(1)))
      return (try job.decode("id"), try job.decode("attempt_id"))
    }

    func succeed(_ worker: Int64, _ job: (id: Int64, attempt: Int64)) async throws -> String? {
      let images = """
        [{"index": 0, "path": "0/1/1-0.png", "sha256": "\(String(repeating: "a5", count: 32))", "bytes": 9, "width": 8,
          "height": 8, "seed": 1}]
        """
      return try await #require(
        send(
          "finish", .int(worker), .int(job.attempt), .int(job.id), .text("succeeded"), nil, nil, .bool(false),
          .text(images), .textArray([]), .text("{}"))
      ).decode("state")
    }
  }

  @Test(arguments: ["V0008", "V0014", "V0022"]) func theVersionBeforeWorksOnThisSchema(version: String) async throws {
    try await withQueue { queue in
      let old = try OldProgram(version, on: queue.connection)
      let worker = try await old.register()
      // Side by side with a worker of this version, which has the model in memory.
      let new = try await queue.worker()
      _ = try await queue.store.claim(worker: new, queues: ["default"], models: ["m"], limit: 1, loaded: ["m"])
      let id = try await old.enqueue()
      let job = try await old.claim(worker)
      #expect(job.id == id)
      let progress = #"[{"attempt": \#(job.attempt), "phase": "denoise", "step": 1, "progress": 0.5}]"#
      let beat = try await #require(old.send("heartbeat", .int(worker), .text(progress)))
      #expect(try beat.decode("fenced", Bool.self) == false)
      #expect(try await old.succeed(worker, job) == "succeeded")
      try await queue.sql("UPDATE tintype.maintenance SET last_run_at = now() - interval '5 seconds'")
      #expect(try await #require(old.send("maintain")).decode("ran", Bool.self))
      #expect(try await #require(old.send("stop", .int(worker))).decode("released", Int.self) == 0)
    }
  }

  /// What programs have learned since V0014: several ends in one statement, and the reason why a job waits.
  @Test func theVersionBeforeEndsSeveralJobsAtOnce() async throws {
    try await withQueue { queue in
      let old = try OldProgram("V0022", on: queue.connection)
      let worker = try await old.register()
      for _ in 0..<3 { _ = try await old.enqueue() }
      let (first, second) = try await (old.claim(worker), old.claim(worker))
      let reports = """
        [{"attempt": \(first.attempt), "job": \(first.id), "outcome": "succeeded", "permanent": false,
          "images": [{"index": 0, "path": "0/1/1-0.png", "sha256": "\(String(repeating: "a5", count: 32))", "bytes": 9,
                      "width": 8, "height": 8, "seed": 1}], "warnings": [], "timings": {"unet": 0.5}},
         {"attempt": \(second.attempt), "job": \(second.id), "outcome": "failed", "error_code": "out_of_memory",
          "error": "no room", "permanent": true, "images": [], "warnings": [], "timings": {}}]
        """
      try await queue.sql("SELECT tintype.pause('default', 'a look')")
      _ = try await old.send("finish_all", .int(worker), .text(reports))
      let states = try await queue.connection.query("SELECT state FROM tintype.jobs ORDER BY id").rows
      #expect(try states.map { try $0.decode("state", String.self) } == ["succeeded", "failed", "ready"])
      let waiting = try await #require(old.send("waiting", .intArray([first.id, second.id, second.id + 1])))
      #expect(try waiting.decode("id") == second.id + 1)
      #expect(try waiting.decode("waiting_for") == "queue default to be resumed")
    }
  }

  /// The migration comes while a job runs: what the old schema began, the new one ends, whoever reports it.
  @Test func aJobThatRunsThroughTheMigrationEndsOnce() async throws {
    try await withDatabase { url in
      let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url))
      try await Migrator(connection: connection, migrations: Array(migrations.prefix(14))).migrate()
      let old = try OldProgram("V0014", on: connection)
      let worker = try await old.register()
      for _ in 0..<3 { _ = try await old.enqueue() }
      let (first, second) = (try await old.claim(worker), try await old.claim(worker))
      try await Migrator(connection: connection).migrate()
      #expect(try await old.succeed(worker, first) == "succeeded")
      // Said twice, as after a lost answer; and what the fence refused before, it refuses now.
      #expect(try await old.succeed(worker, first) == "succeeded")
      #expect(try await old.succeed(worker + 1, second) == nil)
      let third = try await old.claim(worker)
      #expect(third.attempt > second.attempt)
      #expect(try await #require(old.send("stop", .int(worker))).decode("released", Int.self) == 2)
      let states = try await connection.query("SELECT state FROM tintype.jobs ORDER BY id").rows
      #expect(try states.map { try $0.decode("state", String.self) } == ["succeeded", "ready", "ready"])
      await connection.close()
    }
  }

  @Test func aProgramOfTheVersionBeforeMayStart() async throws {
    try await withDatabase(template: TestQueue.template) { url in
      let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url))
      let oldest: Int = try await connection.query("SELECT oldest_program AS n FROM tintype.compatibility").rows[0]
        .decode("n")
      for last in 1...migrations.count {
        let program = Migrator(connection: connection, migrations: Array(migrations.prefix(last)))
        if last >= oldest {
          try await program.requireUsable()
        } else {
          let error = await #expect(throws: MigrationError.self) { try await program.requireUsable() }
          #expect(error?.code == .schemaIsNewer)
        }
        if last < migrations.count {
          // But it must not migrate what it does not know.
          await #expect(throws: MigrationError.self) { try await program.migrate() }
        }
      }
      await connection.close()
    }
  }

  @Test func aMigrationThatBreaksOlderProgramsShutsThemOut() async throws {
    try await withDatabase(template: TestQueue.template) { url in
      let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url))
      let next = migrations.count + 1
      let breaking = Migration(
        "V\(String("0000\(next)".suffix(4)))__breaking",
        Array("UPDATE tintype.compatibility SET oldest_program = \(next)".utf8))
      try await Migrator(connection: connection, migrations: migrations + [breaking]).migrate()
      let error = await #expect(throws: MigrationError.self) {
        try await Migrator(connection: connection).requireUsable()
      }
      #expect(error?.code == .schemaIsNewer)
      await connection.close()
    }
  }
}
