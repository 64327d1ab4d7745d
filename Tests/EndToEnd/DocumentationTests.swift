import Foundation
import Postgres
import TestSupport
import Testing

/// What the documents say to type works.
@Suite struct DocumentationTests {
  @Test(.timeLimit(.minutes(5))) func everyCommandOfTheTutorialWorks() async throws {
    let folder = try TemporaryFolder()
    let blocks = try Self.blocks("Docs/tutorial.md", language: "sh")
    #expect(blocks.count >= 7)
    // The private PostgreSQL must go whatever happens, and its output is what a failure is understood by.
    let script = """
      set -euo pipefail
      trap 'tintype down >/dev/null 2>&1 || true' EXIT
      ln -s '\(ProjectFiles.root.path)/Deploy' Deploy
      set -x
      \(blocks.joined(separator: "\n"))
      """
    let path =
      "\(URL(filePath: Tool.path).deletingLastPathComponent().path):\(ProcessInfo.processInfo.environment["PATH"] ?? "")"
    let outcome = try Self.bash(
      script, in: folder,
      environment: ["PATH": path, "TINTYPE_STATE_DIR": folder.path("state"), "TINTYPE_THREADS": "1"])
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(FileManager.default.fileExists(atPath: folder.path("dawn.png")))
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
      for block in try Self.blocks("Docs/sql.md", language: "sql") {
        // The page pauses what it resumes later and reads a file that is not here.
        for statement in Self.statements(block) where !statement.contains("pg_read_binary_file") {
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

  /// The contents of the fenced blocks of a language, in their order.
  private static func blocks(_ path: String, language: String) throws -> [String] {
    let text = try String(contentsOf: ProjectFiles.root.appending(path: path), encoding: .utf8)
    return text.components(separatedBy: "\n```\(language)\n").dropFirst().map {
      $0.components(separatedBy: "\n```")[0]
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

  private static func bash(
    _ script: String, in folder: TemporaryFolder, environment: [String: String]
  ) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["-c", script]
    process.currentDirectoryURL = folder.url
    process.environment = ProcessInfo.processInfo.environment
      .filter { !$0.key.hasPrefix("PG") && !$0.key.hasPrefix("TINTYPE_") }.merging(environment) { _, new in new }
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
