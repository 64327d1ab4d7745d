import Foundation
import JobStore
import Migrations
import Postgres
import TestSupport
import Testing

@Suite struct MigratorTests {
  private static let folder = ProjectFiles.root.appending(path: "Migrations")

  @Test func theListIsTheFolder() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
      .filter { $0.hasSuffix(".sql") && $0 != "schema.sql" }.sorted()
    #expect(migrations.map { "\($0.name).sql" } == files)
    #expect(migrations.map(\.version) == Array(1...files.count))
    for migration in migrations {
      let text = try String(contentsOf: Self.folder.appending(path: "\(migration.name).sql"), encoding: .utf8)
      let isSame = migration.sql == text
      #expect(isSame, "\(migration.name)")
    }
  }

  private func connect(_ url: String) async throws -> PostgresConnection {
    try await PostgresConnection.connect(PostgresConfiguration(url: url))
  }

  @Test func eightAtOnceApplyEachOnce() async throws {
    try await withDatabase { url in
      let applied = try await withThrowingTaskGroup(of: [String].self) { group in
        for _ in 0..<8 {
          group.addTask {
            let connection = try await connect(url)
            let names = try await Migrator(connection: connection).migrate()
            await connection.close()
            return names
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(applied.sorted() == migrations.map(\.name))
      let connection = try await connect(url)
      let migrator = Migrator(connection: connection)
      try await migrator.requireCurrent()
      #expect(try await migrator.migrate().isEmpty)
      await connection.close()
    }
  }

  @Test func saysWhatIsMissing() async throws {
    try await withDatabase { url in
      let connection = try await connect(url)
      let first = Array(migrations.prefix(2))
      #expect(try await Migrator(connection: connection).status().allSatisfy { $0.appliedAt == nil })
      #expect(try await Migrator(connection: connection, migrations: first).migrate() == first.map(\.name))
      #expect(
        try await Migrator(connection: connection).status().map { $0.appliedAt != nil } == [true, true]
          + Array(repeating: false, count: migrations.count - 2))
      let error = await #expect(throws: MigrationError.self) {
        try await Migrator(connection: connection).requireCurrent()
      }
      #expect(error?.code == .schemaIsOlder)
      #expect(
        error?.message
          == "The database's schema is not up to date: V0003__waiting_and_waking has not been applied. Run `tintype migrate`."
      )
      await connection.close()
    }
  }

  @Test func refusesASchemaFromTheFuture() async throws {
    try await withDatabase(template: TestQueue.template) { url in
      let connection = try await connect(url)
      try await connection.query(
        "INSERT INTO tintype.migrations (version, name, checksum) VALUES (9999, 'V9999__flying_cars', 'x')")
      for attempt in 0..<2 {
        let error = await #expect(throws: MigrationError.self) {
          let migrator = Migrator(connection: connection)
          if attempt == 0 { try await migrator.migrate() } else { try await migrator.requireCurrent() }
        }
        #expect(error?.code == .schemaIsNewer)
        #expect(error?.message.contains("V9999__flying_cars") == true)
      }
      await connection.close()
    }
  }

  @Test func refusesAnEditedFile() async throws {
    try await withDatabase(template: TestQueue.template) { url in
      let connection = try await connect(url)
      let edited = migrations.map {
        $0.version == 3 ? Migration($0.name, Array(($0.sql + "-- a word more\n").utf8)) : $0
      }
      let error = await #expect(throws: MigrationError.self) {
        try await Migrator(connection: connection, migrations: edited).migrate()
      }
      #expect(error?.code == .appliedFileWasEdited && error?.message.contains("V0003__waiting_and_waking") == true)
      await connection.close()
    }
  }

  @Test func aMigrationThatFailsLeavesNothingBehind() async throws {
    try await withDatabase(template: TestQueue.template) { url in
      let connection = try await connect(url)
      let broken = Migration("V0099__broken", Array("CREATE TABLE tintype.half (); SELECT 1 / 0;".utf8))
      let error = try await refusal {
        try await Migrator(connection: connection, migrations: migrations + [broken]).migrate()
      }
      #expect(error.sqlState == "22012")
      #expect(try await connection.query("SELECT to_regclass('tintype.half') IS NULL AS gone").rows[0].decode("gone"))
      try await Migrator(connection: connection).requireCurrent()
      await connection.close()
    }
  }

  /// schema.sql is what reviewers read. `Migrations/dump-schema.sh` makes it anew.
  @Test func schemaFileIsWhatTheMigrationsMake() async throws {
    try await withDatabase(template: TestQueue.template) { url in
      let programs = try PostgresBinaries.find().folder
      let process = Process()
      process.executableURL = Self.folder.appending(path: "dump-schema.sh")
      process.arguments = [url]
      process.environment = ProcessInfo.processInfo.environment.merging(["PG_DUMP": "\(programs)/pg_dump"]) { $1 }
      let output = try ProcessLaunch.exclusively {
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        return output
      }
      let dump = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      let file = try String(contentsOf: Self.folder.appending(path: "schema.sql"), encoding: .utf8)
      let difference = dump.split(separator: "\n", omittingEmptySubsequences: false)
        .difference(from: file.split(separator: "\n", omittingEmptySubsequences: false))
      #expect(
        difference.isEmpty,
        "Migrations/schema.sql is not what the migrations make. Regenerate it with Migrations/dump-schema.sh, and review the difference: \(difference)"
      )
    }
  }

  @Test func everythingIsDescribed() async throws {
    try await withDatabase(template: TestQueue.template) { url in
      let connection = try await connect(url)
      let silent = try await connection.query(
        """
        SELECT c.oid::regclass::text AS name FROM pg_class c
         WHERE c.relnamespace = 'tintype'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL
        SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'tintype'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
           AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc p
         WHERE p.pronamespace = 'tintype'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
        """)
      #expect(try silent.rows.map { try $0.decode("name", String.self) } == [])
      await connection.close()
    }
  }
}
