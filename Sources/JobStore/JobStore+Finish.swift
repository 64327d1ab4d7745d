import FoundationEssentials
public import Jobs
internal import Postgres

/// What the database made of an outcome.
public enum FinishReply: Sendable, Equatable {
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
    var error: JobError?
    var result = JobResult(images: [])
    let name: String
    switch outcome {
    case .succeeded(let success): (name, result) = ("succeeded", success)
    case .failed(let failure): (name, error) = ("failed", failure)
    case .cancelled: name = "cancelled"
    case .released: name = "released"
    }
    let encoder = JSONEncoder()
    let images = try encoder.encode(result.images.map(ImageRow.init))
    // Not a number has no place in JSON; a timing that is none is left out.
    let timings = try encoder.encode(result.timings.filter { $0.value.isFinite })
    let row = try await repeatable(
      "SELECT tintype.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS state",
      [
        .int(worker.rawValue), .int(attempt), .int(job), .text(name),
        .optional(error?.code.storable), .optional(error.map { String($0.message.storable.prefix(4000)) }),
        .bool(error?.isPermanent ?? false),
        .text(String(decoding: images, as: UTF8.self)), .textArray(result.warnings.map(\.storable)),
        .text(String(decoding: timings, as: UTF8.self)),
      ]
    ).only()
    guard let state = try row.decode("state", JobState?.self) else { return .leaseLost }
    return .applied(state)
  }
}

/// A row of `tintype.images` as `tintype.finish` takes it.
private struct ImageRow: Encodable {
  let index: Int, path: String, sha256: String, bytes: Int, width: Int, height: Int, seed: Int64

  init(_ image: JobImage) {
    let digits = Array("0123456789abcdef")
    index = image.index
    path = image.path
    sha256 = String(image.sha256.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    bytes = image.bytes
    width = image.width
    height = image.height
    seed = image.seed
  }
}
