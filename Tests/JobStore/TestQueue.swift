import Foundation
import JobStore
import Jobs
import Migrations
import Postgres
import TestSupport
import Testing

/// A migrated database of a test's own, with a store on one connection and plain SQL on another.
struct TestQueue: Sendable {
  let url: String
  let store: JobStore
  let connection: PostgresConnection

  static let template = DatabaseTemplate(name: "jobstore") { url in
    let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url))
    try await Migrator(connection: connection).migrate()
    await connection.close()
  }

  @discardableResult
  func sql(_ sql: String, _ parameters: [PostgresValue?] = []) async throws -> [PostgresRow] {
    try await connection.query(sql, parameters).rows
  }

  func value<T: PostgresDecodable>(_ sql: String, as type: T.Type = T.self) async throws -> T {
    try #require(await self.sql("SELECT (\(sql)) AS value").first).decode("value")
  }

  /// Inserts a job as most people do: some columns, the rest by default.
  @discardableResult
  func insert(_ columns: String = "prompt", _ values: String = "'a red boat'") async throws -> Int64 {
    try #require(
      await sql("INSERT INTO tintype.jobs (\(columns)) VALUES (\(values)) RETURNING id").first
    ).decode("id")
  }

  /// Changes rows as time would, without the triggers noticing.
  func skip(_ sql: String) async throws {
    try await self.sql("SET session_replication_role = replica")
    try await self.sql(sql)
    try await self.sql("SET session_replication_role = origin")
  }

  func state(_ job: Int64) async throws -> JobState {
    try await value("SELECT state FROM tintype.jobs WHERE id = \(job)")
  }

  func error(_ job: Int64) async throws -> String? {
    try await value("SELECT error FROM tintype.jobs WHERE id = \(job)")
  }

  func newStore() -> JobStore {
    JobStore(session: PostgresSession(PostgresConfiguration(url: url), patience: .seconds(5)))
  }

  /// A worker, by default of queue `default` and model `m`.
  @discardableResult
  func worker(queues: [String] = ["default"], lease: Duration = .seconds(600)) async throws -> WorkerID {
    try await store.register(
      WorkerRegistration(
        name: "w", host: "h", processID: 1, version: "0", queues: queues, models: ["m"], slots: 4, lease: lease))
  }

  func claim(_ worker: WorkerID, _ limit: Int = 1) async throws -> [Job] {
    try await store.claim(worker: worker, queues: ["default"], models: ["m"], limit: limit)
  }

  /// Claims the one job that is ready.
  func claimOne(_ worker: WorkerID) async throws -> Job { try #require(try await claim(worker).first) }

  func finish(_ job: Job, by worker: WorkerID, _ outcome: JobOutcome) async throws -> FinishReply {
    try await store.finish(worker: worker, attempt: job.attemptID, job: job.id, outcome: outcome)
  }

  /// Ends a worker's lease without waiting for it.
  func expire(_ worker: WorkerID) async throws {
    try await sql("UPDATE tintype.workers SET lease_until = now() - interval '1 ms' WHERE id = \(worker)")
  }
}

/// Runs a test on a queue of its own.
func withQueue(_ body: (TestQueue) async throws -> Void) async throws {
  try await withDatabase(template: TestQueue.template) { url in
    let session = PostgresSession(PostgresConfiguration(url: url), patience: .seconds(5))
    let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url))
    // The template may be older than an outage takes to be noticed.
    try await connection.query("UPDATE tintype.maintenance SET last_run_at = clock_timestamp()")
    let queue = TestQueue(url: url, store: JobStore(session: session), connection: connection)
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body(queue))
    } catch {
      outcome = .failure(error)
    }
    await connection.close()
    await session.close()
    try outcome.get()
  }
}

/// A success as a worker reports it.
func success(_ job: Job, warnings: [String] = []) -> JobOutcome {
  .succeeded(
    JobResult(
      images: (0..<job.imageCount).map {
        JobImage(
          index: $0, path: "out/\(job.id)/\(job.attemptID)-\($0).png", sha256: Array(repeating: 0xA5, count: 32),
          bytes: 100, width: 512, height: 512, seed: job.seed + Int64($0))
      }, warnings: warnings, timings: ["denoise": 0.5]))
}

/// A failure that may be tried again, or not.
func failure(_ message: String = "the disk is full", isPermanent: Bool = false) -> JobOutcome {
  .failed(JobError(code: "out_of_disk", message: message, isPermanent: isPermanent))
}

/// The error that `body` throws, which must come from the server.
func refusal(_ body: () async throws -> Void) async throws -> PostgresError {
  do {
    try await body()
  } catch let error as PostgresError {
    return error
  }
  Issue.record("The database accepted what it must refuse.")
  throw PostgresError(.misuse, "Nothing was refused.")
}
