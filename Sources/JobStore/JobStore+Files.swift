public import Jobs
internal import Postgres

extension JobStore {
  /// Which database this is, for an output folder to know to whom it belongs.
  public func installationID() async throws -> String {
    try await repeatable("SELECT tintype.installation_id()::text AS id").only().decode("id")
  }

  /// Says which output folder a worker writes to, and so which files it may be asked to remove.
  public func own(output: String, worker: WorkerID) async throws {
    _ = try await repeatable("SELECT tintype.own_output($1, $2)", [.int(worker.rawValue), .text(output)])
  }

  /// Deleted jobs whose files lie in this worker's output folder and are to be removed.
  public func removalsDue(worker: WorkerID, limit: Int = 500) async throws -> [Int64] {
    try await repeatable(
      "SELECT job_id FROM tintype.removals_due($1, $2) AS job_id", [.int(worker.rawValue), .int(Int64(limit))]
    ).rows.map { try $0.decode("job_id") }
  }

  /// Strikes jobs off whose files have been removed, and the removal is durable.
  public func removalsDone(worker: WorkerID, jobs: [Int64]) async throws {
    _ = try await repeatable("SELECT tintype.removals_done($1, $2)", [.int(worker.rawValue), .intArray(jobs)])
  }

  /// Which of these files belong to attempts that have ended without success, or whose job has been deleted: nothing
  /// refers to them, and nothing will.
  public func orphans(worker: WorkerID, among files: [AttemptFile]) async throws -> [Int64] {
    try await repeatable(
      "SELECT attempt FROM tintype.orphans($1, $2, $3) AS attempt",
      [.int(worker.rawValue), .intArray(files.map(\.job)), .intArray(files.map(\.attempt))]
    ).rows.map { try $0.decode("attempt") }
  }
}
