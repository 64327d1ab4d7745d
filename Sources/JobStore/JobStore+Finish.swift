import FoundationEssentials
public import Jobs
internal import Postgres

/// What the database made of an outcome.
public enum FinishReply: Sendable, Hashable {
  /// It counts, and the job has come to this state. Also the answer to the same report made twice.
  case applied(JobState)
  /// The attempt no longer held the job: the outcome is dropped. Remove its files.
  case leaseLost
}

extension JobStore {
  /// Delivers how an attempt ended: its row, the job's, the pictures', and the jobs that wait for this one, all in one
  /// transaction, and only if the attempt still holds the job.
  ///
  /// Safe to repeat until it succeeds. After a failure the job's queue decides when it runs again (`retry_base`,
  /// `retry_cap`), by the database's clock.
  ///
  /// - Throws: `PostgresError`; 22023 if a success does not bring exactly `image_count` pictures.
  @discardableResult
  public func finish(
    worker: WorkerID, attempt: Int64, job: Int64, outcome: JobOutcome
  ) async throws -> FinishReply {
    let report = ReportRow(AttemptReport(attempt: attempt, job: job, outcome: outcome))
    let encoder = JSONEncoder()
    let images = try encoder.encode(report.images)
    let timings = try encoder.encode(report.timings)
    let row = try await repeatable(
      "SELECT tintype.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS state",
      [
        .int(worker.rawValue), .int(attempt), .int(job), .text(report.outcome), .optional(report.error_code),
        .optional(report.error), .bool(report.permanent), .text(String(decoding: images, as: UTF8.self)),
        .textArray(report.warnings), .text(String(decoding: timings, as: UTF8.self)),
      ]
    ).only()
    return try FinishReply(row)
  }

  /// Delivers several outcomes in one statement, each judged by itself as `finish(worker:attempt:job:outcome:)` does, and
  /// all or none of them written.
  ///
  /// - Parameter reports: each attempt once.
  /// - Returns: a reply for each, in their order.
  /// - Throws: `PostgresError`; then none is written, or that is unknown.
  public func finish(worker: WorkerID, reports: [AttemptReport]) async throws -> [FinishReply] {
    let rows = try JSONEncoder().encode(reports.map(ReportRow.init))
    let result = try await repeatable(
      "SELECT attempt, state FROM tintype.finish_all($1, $2)",
      [.int(worker.rawValue), .text(String(decoding: rows, as: UTF8.self))])
    var replies: [Int64: FinishReply] = [:]
    for row in result.rows { replies[try row.decode("attempt")] = try FinishReply(row) }
    return try reports.map { report in
      guard let reply = replies[report.attempt] else {
        throw PostgresError(.decoding, "The database has not answered for attempt \(report.attempt).")
      }
      return reply
    }
  }
}

/// How an attempt ended, as a worker says it.
public struct AttemptReport: Sendable {
  /// `attempts.id`, the fencing token.
  public var attempt: Int64
  /// `attempts.job_id`.
  public var job: Int64
  /// What came of it.
  public var outcome: JobOutcome

  /// A report.
  public init(attempt: Int64, job: Int64, outcome: JobOutcome) {
    self.attempt = attempt
    self.job = job
    self.outcome = outcome
  }
}

extension FinishReply {
  fileprivate init(_ row: PostgresRow) throws {
    guard let state = try row.decode("state", JobState?.self) else {
      self = .leaseLost
      return
    }
    self = .applied(state)
  }
}

/// An element of what `tintype.finish_all` takes, under its names; what PostgreSQL cannot store is left out or replaced.
private struct ReportRow: Encodable {
  let attempt: Int64, job: Int64, outcome: String
  var error_code: String?, error: String?, permanent = false
  var images: [ImageRow] = [], warnings: [String] = [], timings: [String: Double] = [:]

  init(_ report: AttemptReport) {
    attempt = report.attempt
    job = report.job
    switch report.outcome {
    case .succeeded(let result):
      outcome = "succeeded"
      images = result.images.map(ImageRow.init)
      warnings = result.warnings.map(\.storable)
      // Not a number has no place in JSON; a timing that is none is left out.
      timings = result.timings.filter { $0.value.isFinite }
    case .failed(let failure):
      outcome = "failed"
      error_code = failure.code.storable
      error = String(failure.message.storable.prefix(4000))
      permanent = failure.isPermanent
    case .cancelled: outcome = "cancelled"
    case .released: outcome = "released"
    }
  }
}

/// A row of `tintype.images` as `tintype.finish` takes it.
private struct ImageRow: Encodable {
  let index: Int, path: String, sha256: String, bytes: Int, width: Int, height: Int, seed: Int64

  init(_ image: JobImage) {
    index = image.index
    path = image.path
    sha256 = image.sha256.hexadecimal
    bytes = image.bytes
    width = image.width
    height = image.height
    seed = image.seed
  }
}
