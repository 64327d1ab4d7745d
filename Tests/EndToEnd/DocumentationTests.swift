import Foundation
import Postgres
import TestSupport
import Testing

/// What the documents say to type works.
@Suite struct DocumentationTests {
  /// Beside the tutorial, which brings its own database, each page with a database, a worker and a folder of its own.
  @Test(.timeLimit(.minutes(5)), arguments: ["README.md", "Docs/enqueue.md", "Docs/watch.md", "Docs/numerics.md"])
  func everyCommandOfThePageWorks(path: String) async throws {
    let document = try Document(path)
    #expect(document.blocks.contains { ["sh", "sql"].contains($0.kind) })
    try await Site.with { site in
      // The pages speak of people and tables that are there already.
      try await site.database.execute(
        """
        DO $$ BEGIN CREATE ROLE shop; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
        CREATE SCHEMA shop;
        CREATE TABLE shop.orders (id bigint, motif text);
        """)
      if path != "README.md" { try site.startWorker() }
      // Names of other people's machines become this one's.
      let script = document.script
        .replacing("postgresql://localhost/pictures", with: site.databaseURL)
        .replacing("/srv/pictures", with: site.output)
      let outcome = try Self.run(script, environment: ["TINTYPE_DATABASE_URL": site.databaseURL])
      #expect(outcome.status == 0, "\(outcome.output)")
    }
  }

  @Test(.timeLimit(.minutes(5))) func everyCommandOfTheTutorialWorks() async throws {
    let document = try Document("Docs/tutorial.md")
    #expect(document.blocks.count >= 7)
    let outcome = try Self.run(document.script + "\ntest -s dawn.png")
    #expect(outcome.status == 0, "\(outcome.output)")
  }

  /// The check of the checks: a line that should fail and does not is noticed.
  @Test func aLineThatShouldFailAndDoesNotIsNoticed() throws {
    let block = Document.Block(kind: "sh fails", lines: ["true"])
    let script = Document.script(of: [block])
    #expect(try Self.run(script).status == 99)
    #expect(try Self.run(Document.script(of: [Document.Block(kind: "sh fails", lines: ["false"])])).status == 0)
  }

  /// Commands that a test cannot run still name programs, options, targets, units and files that there are.
  @Test func everyCommandOfEveryPageExists() async throws {
    let commands = try await CommandTree.commands()
    let makefile = try String(contentsOf: ProjectFiles.root.appending(path: "Makefile"), encoding: .utf8)
    let units = try FileManager.default.contentsOfDirectory(
      atPath: ProjectFiles.root.appending(path: "Deploy/systemd").path)
    var count = 0
    for document in try Document.all() {
      // A block that nobody has said anything of is output or a file, and not something to type.
      for block in document.blocks where ["", "ini", "yaml"].contains(block.kind) {
        let typed = block.lines.filter { $0.firstMatch(of: #/^(tintype|make|sudo|systemctl|psql|docker) /#) != nil }
        #expect(typed.isEmpty, "\(document.path): mark the block sh, sh fails or sh host: \(typed)")
      }
      for line in document.commandLines {
        for match in line.matches(of: #/(?:^|[\s/(`])tintype ((?:[^;|&)`>]|>(?= ))+)/#) {
          count += 1
          let words = match.1.split(separator: " ").map(String.init)
          let name = words.prefix { !$0.hasPrefix("-") }.map { $0 }
          let known = (1...2).reversed().map { name.prefix($0).joined(separator: " ") }.first { commands[$0] != nil }
          guard let known, let options = commands[known] else {
            if words.first?.hasPrefix("-") != true { Issue.record("\(document.path): no such command: \(line)") }
            continue
          }
          for word in words where word.hasPrefix("--") {
            let option = String(word.dropFirst(2).prefix { $0 != "=" })
            #expect(options.contains(option) || option == "help", "\(document.path): tintype \(known) has no \(word)")
          }
        }
        for match in line.matches(of: /\bmake ([a-z-]+)/) {
          #expect(makefile.contains("\n\(match.1):"), "\(document.path): no target \(match.1)")
        }
        for match in line.matches(of: /\btintype-(worker@|migrate|dashboard)/) {
          #expect(units.contains("tintype-\(match.1).service"), "\(document.path): \(line)")
        }
        for match in line.matches(of: #/(?:^|\s)((?:Deploy|Docs|Tests|Migrations|\.ci)/[\w./-]+)/#) {
          #expect(
            FileManager.default.fileExists(atPath: ProjectFiles.root.appending(path: String(match.1)).path),
            "\(document.path): \(match.1)")
        }
      }
    }
    #expect(count >= 40, "the pages are read wrongly")
  }

  /// Each statement of the page, as the owner, in an order and with rows that make sense of its numbers.
  @Test func everyStatementOfTheSQLPageWorks() async throws {
    try await Site.with { site in
      try await site.database.execute(
        """
        INSERT INTO tintype.workers (name, host, pid, version, queues, models, slots, lease, lease_until)
          OVERRIDING SYSTEM VALUE SELECT 'w', 'h', 1, '1', '{default}', '{sdxl-turbo}', 1, '1 hour', now() + interval '1 hour'
          FROM generate_series(1, 17);
        INSERT INTO tintype.jobs (prompt) SELECT 'filler' FROM generate_series(1, 812);
        """)
      var count = 0
      for block in try Document("Docs/sql.md").blocks where block.kind == "sql" {
        // The page pauses what it resumes later and reads a file that is not here.
        for statement in Self.statements(block.text) where !statement.contains("pg_read_binary_file") {
          do {
            try await site.database.query(Self.withoutCron(statement))
          } catch let error as PostgresError where statement.contains("tintype.retry") {
            // Job 812 has been cancelled before, or it waits: either is what the page says of it.
            #expect(error.message.contains("812"), "\(error)")
          }
          count += 1
        }
      }
      #expect(count >= 20)
    }
  }

  /// Statements end with a semicolon at a line's end, before a comment; none of the page's texts holds one.
  private static func statements(_ block: String) -> [String] {
    block.replacing(#/ *--[^\n]*/#, with: "").components(separatedBy: ";").map {
      $0.trimmingCharacters(in: .whitespacesAndNewlines)
    }.filter { !$0.isEmpty }
  }

  /// What `cron.schedule` would run, in its place: pg_cron is an extension that a test does not have.
  private static func withoutCron(_ statement: String) -> String {
    guard statement.contains("cron.schedule") else { return statement }
    let parts = statement.components(separatedBy: "$$")
    return parts.count > 1 ? parts[1] : statement
  }

  /// Runs a script in an empty folder that has the checkout's `Deploy`, with the program under test first on the path.
  private static func run(
    _ script: String, environment: [String: String] = [:]
  ) throws -> (status: Int32, output: String) {
    let folder = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    // What was started goes whatever happens, and what was said is what a failure is understood by.
    let prologue = """
      set -euo pipefail
      trap 'kill $(jobs -p) 2>/dev/null || true; wait; tintype down >/dev/null 2>&1 || true' EXIT
      ln -s '\(ProjectFiles.root.path)/Deploy' Deploy
      set -x

      """
    process.arguments = ["-c", prologue + script]
    process.currentDirectoryURL = folder.url
    let inherited = ProcessInfo.processInfo.environment
    let path = "\(URL(filePath: Tool.path).deletingLastPathComponent().path):\(inherited["PATH"] ?? "")"
    process.environment = inherited.filter { !$0.key.hasPrefix("PG") && !$0.key.hasPrefix("TINTYPE_") }
      .merging(["PATH": path, "TINTYPE_STATE_DIR": folder.path("state"), "TINTYPE_THREADS": "1"]) { _, new in new }
      .merging(environment) { _, new in new }
    _ = FileManager.default.createFile(atPath: folder.path("log"), contents: nil)
    let log = try FileHandle(forWritingTo: URL(filePath: folder.path("log")))
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = log
    process.standardError = log
    try ProcessLaunch.exclusively { try process.run() }
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOfFile: folder.path("log"), encoding: .utf8))
  }
}
