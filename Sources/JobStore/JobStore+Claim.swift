public import Jobs
internal import Postgres

extension JobStore {
  /// Takes up to `limit` ready jobs, the most urgent first. Each comes with a new attempt, which holds it from here on.
  ///
  /// Nothing comes for a worker that drains or whose lease is over, from a paused queue, or of another model.
  ///
  /// - Parameters:
  ///   - models: by name; jobs that name no model come always.
  ///   - limit: free slots.
  ///   - loaded: the models that are in memory: their jobs come a little ahead of their turn, and those of a model that
  ///     another live worker has loaded a little later (`queues.model_affinity`). Nil for no preference.
  ///   - alike: take only jobs of the shape of the first: same model, size, steps and kind of start.
  /// - Throws: `PostgresError`. If the connection is lost, jobs may have been claimed all the same: the next heartbeats,
  ///   which do not list them, give them back.
  public func claim(
    worker: WorkerID, queues: [String], models: [String], limit: Int, loaded: [String]? = nil, alike: Bool = false
  ) async throws -> [Job] {
    let result = try await once(
      """
      SELECT id, attempt_id, attempt_number, max_attempts, queue, model, prompt, negative_prompt, width, height, steps,
             guidance_scale, strength, seed, image_count, init_image, init_image_data, init_job, init_artifact_path,
             init_artifact_sha256, timeout, metadata
        FROM tintype.claim($1, $2, $3, $4, $5, $6)
      """,
      [
        .int(worker.rawValue), .textArray(queues), .textArray(models), .int(Int64(limit)),
        loaded.map { .textArray($0) }, .bool(alike),
      ])
    var jobs: [Job] = []
    for row in result.rows {
      let job = try Job(row)
      if let parent = try row.decode("init_job", Int64?.self), job.initImage == nil {
        // Only if someone has deleted rows of `images` by hand.
        let error = JobError(
          code: "init_job_without_image", message: "init_job \(parent) has no picture in tintype.images any more",
          isPermanent: true)
        try await finish(worker: worker, attempt: job.attemptID, job: job.id, outcome: .failed(error))
      } else {
        jobs.append(job)
      }
    }
    return jobs
  }
}

extension Job {
  fileprivate init(_ row: PostgresRow) throws {
    self.init(
      id: try row.decode("id"), attemptID: try row.decode("attempt_id"),
      attemptNumber: try row.decode("attempt_number"), maxAttempts: try row.decode("max_attempts"),
      queue: try row.decode("queue"), model: try row.decode("model"), prompt: try row.decode("prompt"),
      negativePrompt: try row.decode("negative_prompt"), width: try row.decode("width"),
      height: try row.decode("height"), steps: try row.decode("steps"),
      guidanceScale: try row.decode("guidance_scale"), strength: try row.decode("strength"),
      seed: try row.decode("seed"), imageCount: try row.decode("image_count"),
      timeout: try row.decode("timeout"), metadata: try row.decode("metadata"))
    if let path = try row.decode("init_image", String?.self) {
      initImage = .inputPath(path)
    } else if let data = try row.decode("init_image_data", [UInt8]?.self) {
      initImage = .data(data)
    } else if let path = try row.decode("init_artifact_path", String?.self) {
      initImage = .artifact(path: path, sha256: try row.decode("init_artifact_sha256"))
    }
  }
}
