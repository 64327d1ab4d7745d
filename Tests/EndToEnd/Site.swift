import Foundation
import Postgres
import TestSupport
import Testing

/// One installation for one test: a migrated database of its own, output and input folders, and the workers it starts.
final class Site {
  let databaseURL: String
  private(set) var database: PostgresConnection
  let folder: TemporaryFolder
  private var workers: [ToolProcess] = []

  var output: String { folder.path("output") }
  var input: String { folder.path("input") }

  private init(_ databaseURL: String) async throws {
    self.databaseURL = databaseURL
    folder = try TemporaryFolder()
    for path in ["output", "input"] {
      try FileManager.default.createDirectory(atPath: folder.path(path), withIntermediateDirectories: true)
    }
    database = try await PostgresConnection.connect(
      PostgresConfiguration(url: databaseURL, applicationName: "tintype-e2e"))
  }

  /// Gives `body` a fresh site and takes it down afterwards, whatever happened.
  static func with(_ body: (Site) async throws -> Void) async throws {
    try await withDatabase(template: migrated) { try await run(on: $0, body) }
  }

  /// As `with`, on a database server of the test's own, which it may stop and crash.
  static func withServer(_ body: (Site, PrivateCluster) async throws -> Void) async throws {
    let cluster = try await PrivateCluster.start()
    do {
      try await migrate(cluster.url())
      try await run(on: cluster.url()) { try await body($0, cluster) }
    } catch {
      await cluster.remove()
      throw error
    }
    await cluster.remove()
  }

  private static func run(on url: String, _ body: (Site) async throws -> Void) async throws {
    let site = try await Site(url)
    do {
      try await body(site)
    } catch {
      // The workers' own words say more than a time-out does.
      site.recordLogs()
      await site.takeDown()
      throw error
    }
    await site.takeDown()
  }

  /// The schema, installed once by the real command and cloned for each test.
  private static let migrated = DatabaseTemplate(name: "tintype_e2e") { try await migrate($0) }

  private static func migrate(_ url: String) async throws {
    let outcome = try await Tool.run("migrate", "--database-url", url)
    guard outcome.status == 0 else { throw Complaint("tintype migrate: \(outcome.status)\n\(outcome.errors)") }
  }

  private func takeDown() async {
    for worker in workers { await worker.stop() }
    await database.close()
  }

  /// Reconnects after the server was away.
  func reconnect() async throws {
    await database.close()
    database = try await PostgresConnection.connect(
      PostgresConfiguration(url: databaseURL, applicationName: "tintype-e2e"))
  }

  private func recordLogs() {
    for (number, worker) in workers.enumerated() { Issue.record("log of worker \(number):\n\(worker.errors)") }
  }

  /// Starts a real worker with the demo model.
  ///
  /// - Parameter quickly: with a lease of four seconds and so a heartbeat a second: progress is written by the heartbeat.
  @discardableResult
  func startWorker(
    _ extra: String..., quickly: Bool = false, environment: [String: String] = [:]
  ) throws -> ToolProcess {
    let worker = try ToolProcess(
      [
        "worker", "--database-url", databaseURL, "--model", "demo=\(Tool.demoModel)", "--output", output, "--input",
        input,
        // A test run that is killed leaves its workers behind: they end by themselves.
        "--threads", "1", "--idle-exit", "180",
      ] + (quickly ? ["--lease", "4"] : []) + extra, environment: environment)
    workers.append(worker)
    return worker
  }

  /// Inserts a job with the columns given as SQL and returns its id.
  func enqueue(_ columns: String = "prompt", _ values: String = "'a lake at dawn'") async throws -> Int64 {
    try await value("INSERT INTO tintype.jobs (\(columns)) VALUES (\(values)) RETURNING id", as: Int64.self)
  }

  /// The first column of the first row.
  func value<T: PostgresDecodable>(
    _ sql: String, _ parameters: [PostgresValue?] = [], as type: T.Type = T.self
  ) async throws -> T {
    let result = try await database.query(sql, parameters)
    let row = try #require(result.rows.first, "no row: \(sql)")
    return try row.decode(row.columnNames[0], type)
  }

  func state(of job: Int64) async throws -> String {
    try await value("SELECT state FROM tintype.jobs WHERE id = $1", [.int(job)], as: String.self)
  }

  /// Waits until `sql`, a boolean, is true. Polls: what it waits for is any change of any row.
  func wait(
    for what: String, upTo seconds: Double = 60, _ sql: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !value(sql, as: Bool.self) {
      guard ContinuousClock.now < deadline else {
        let jobs = try await database.query("SELECT id, state, error::text FROM tintype.jobs ORDER BY id")
        throw Complaint("not within \(seconds) s: \(what). Jobs: \(jobs.rows)", sourceLocation)
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  func wait(
    for job: Int64, toBe state: String, upTo seconds: Double = 60, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await wait(
      for: "job \(job) \(state)", upTo: seconds,
      "SELECT state = '\(state)' FROM tintype.jobs WHERE id = \(job)", sourceLocation: sourceLocation)
  }
}

/// A test cannot go on.
struct Complaint: Error, CustomStringConvertible {
  let description: String
  init(_ text: String, _ place: SourceLocation? = nil) { description = place.map { "\(text) (\($0))" } ?? text }
}
