import Foundation
import JobStore
import Migrations
import Postgres
import TestSupport
import Testing

/// A rolling upgrade: the database is migrated first, and workers of the version before go on, and start, until each has
/// been replaced.
@Suite struct UpgradeTests {
  /// The statements of the program before, as it sends them, one a line: `name: SQL`.
  private static func statements() throws -> [String: String] {
    let text = try String(contentsOf: ProjectFiles.fixtures.appending(path: "upgrade/V0008.sql"), encoding: .utf8)
    var statements: [String: String] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("--") {
      let parts = line.split(separator: ":", maxSplits: 1)
      statements[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    return statements
  }

  @Test func theVersionBeforeWorksOnThisSchema() async throws {
    let old = try Self.statements()
    try await withQueue { queue in
      func send(_ name: String, _ parameters: [PostgresValue?] = []) async throws -> PostgresRow {
        let sql = try #require(old[name])
        return try #require(await queue.sql(sql, parameters).first)
      }
      let worker: Int64 = try await send(
        "register",
        [
          .text("old"), .text("h"), .int(1), .text("0"), .textArray(["default"]), .textArray(["m"]), .int(1),
          .text("20 seconds"),
        ]
      ).decode("id")
      // Side by side with a worker of this version, which has the model in memory.
      let new = try await queue.worker()
      _ = try await queue.store.claim(worker: new, queues: ["default"], models: ["m"], limit: 1, loaded: ["m"])
      let unset = [PostgresValue?](repeating: nil, count: 19)
      let id: Int64 = try await send("enqueue", [.text("a red boat")] + unset).decode("id")
      let job = try await send("claim", [.int(worker), .textArray(["default"]), .textArray(["m"]), .int(1)])
      #expect(try job.decode("id") == id)
      let attempt: Int64 = try job.decode("attempt_id")
      let beat = try await send(
        "heartbeat",
        [.int(worker), .text(#"[{"attempt": \#(attempt), "phase": "denoise", "step": 1, "progress": 0.5}]"#)])
      #expect(try beat.decode("fenced", Bool.self) == false)
      let images = """
        [{"index": 0, "path": "0/1/1-0.png", "sha256": "\(String(repeating: "a5", count: 32))", "bytes": 9, "width": 8,
          "height": 8, "seed": 1}]
        """
      let state: String = try await send(
        "finish",
        [
          .int(worker), .int(attempt), .int(id), .text("succeeded"), nil, nil, .bool(false), .text(images),
          .textArray([]), .text("{}"),
        ]
      ).decode("state")
      #expect(state == "succeeded")
      #expect(try await send("maintain").decode("ran", Bool.self))
      #expect(try await send("stop", [.int(worker)]).decode("released") == 0)
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
