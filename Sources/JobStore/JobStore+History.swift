internal import Jobs
internal import Postgres

extension JobStore {
  /// The newest jobs, newest first: all of them for an administrator, their own for a submitter.
  public func list(_ filter: JobFilter = JobFilter()) async throws -> [JobRecord] {
    try await session.withRetries { connection in
      let rows = try await connection.query(
        """
        \(Self.selectJob)
         WHERE ($1::text[] IS NULL OR j.state = ANY ($1::text[])) AND ($2::text IS NULL OR j.queue = $2::text)
         ORDER BY j.id DESC LIMIT $3
        """,
        [
          filter.states.map { .textArray($0.map(\.rawValue)) }, .optional(filter.queue),
          .int(Int64(max(0, filter.limit))),
        ]
      ).rows
      return try await Self.explained(rows, on: connection)
    }
  }

  /// A job with its attempts and pictures; nil if there is none of that id, or it is someone else's.
  public func show(job id: Int64) async throws -> JobDetails? {
    try await session.withRetries { connection in
      // One snapshot: a job that has just succeeded is shown with its pictures.
      try await connection.transaction(.repeatableRead) { connection -> JobDetails? in
        guard let row = try await connection.query("\(Self.selectJob) WHERE j.id = $1", [.int(id)]).rows.first else {
          return nil
        }
        let attempts = try await connection.query(
          """
          SELECT id, worker_id, number, phase, step, progress, cancel_requested_at IS NOT NULL AS cancel_requested,
                 outcome, error_code, error, timings, \(Self.time("started_at")), \(Self.time("finished_at"))
            FROM tintype.attempts WHERE job_id = $1 ORDER BY id
          """, [.int(id)])
        let images = try await connection.query(
          "SELECT index, path, sha256, bytes, width, height, seed FROM tintype.images WHERE job_id = $1 ORDER BY index",
          [.int(id)])
        return try await JobDetails(
          job: Self.explained([row], on: connection)[0], attempts: attempts.rows.map(AttemptRecord.init),
          images: images.rows.map(JobImage.init))
      }
    }
  }

  /// The jobs of these rows, those that wait with the reason why, where this role may read it: an enqueuer may not see the
  /// workers and queues that it depends on. Not by a join: a view that may not be read is refused before a row is looked at.
  private static func explained(_ rows: [PostgresRow], on connection: PostgresConnection) async throws -> [JobRecord] {
    let jobs = try rows.map(JobRecord.init)
    let waiting = jobs.filter { [.ready, .scheduled, .blocked].contains($0.state) }.map(\.id)
    guard !waiting.isEmpty, try rows[0].decode("may_explain") else { return jobs }
    let explanations = try await connection.query(
      "SELECT id, waiting_for FROM tintype.job_status WHERE id = ANY ($1) AND waiting_for IS NOT NULL",
      [.intArray(waiting)]
    ).rows
    let reasons = try Dictionary(
      uniqueKeysWithValues: explanations.map {
        try ($0.decode("id", Int64.self), $0.decode("waiting_for", String.self))
      })
    return jobs.map { job in
      var job = job
      job.waitingFor = reasons[job.id]
      return job
    }
  }

  private static let selectJob = """
    SELECT j.id, j.state, j.queue, j.model, j.prompt, j.negative_prompt, j.width, j.height, j.steps, j.guidance_scale,
           j.strength, j.init_image, octet_length(j.init_image_data) AS init_image_bytes, j.init_job, j.seed,
           j.image_count, j.priority, j.max_attempts, extract(epoch FROM j.timeout) AS timeout, j.idempotency_key,
           j.metadata, j.attempt_id, j.failures, j.losses, j.error_code, j.error, j.warnings, j.submitted_by,
           \(time("created_at", of: "j.")), \(time("run_at", of: "j.")), \(time("started_at", of: "j.")),
           \(time("finished_at", of: "j.")), j.tenant, j.concurrency_key, \(time("deadline", of: "j.")), a.phase, a.step, a.progress,
           has_table_privilege('tintype.job_status', 'SELECT') AS may_explain
      FROM tintype.jobs j LEFT JOIN tintype.attempts a ON a.id = j.attempt_id
    """

  private static func time(_ column: String, of table: String = "") -> String {
    "to_char(\(table)\(column) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS \(column)"
  }
}

extension JobRecord {
  fileprivate init(_ row: PostgresRow) throws {
    try self.init(
      id: row.decode("id"), state: row.decode("state"), queue: row.decode("queue"), model: row.decode("model"),
      prompt: row.decode("prompt"), negativePrompt: row.decode("negative_prompt"), width: row.decode("width"),
      height: row.decode("height"), steps: row.decode("steps"), guidanceScale: row.decode("guidance_scale"),
      strength: row.decode("strength"), initImage: row.decode("init_image"),
      initImageBytes: row.decode("init_image_bytes"), initJob: row.decode("init_job"), seed: row.decode("seed"),
      imageCount: row.decode("image_count"), priority: row.decode("priority"),
      maxAttempts: row.decode("max_attempts"), timeout: row.decode("timeout"),
      idempotencyKey: row.decode("idempotency_key"), metadata: JSONText(row.decode("metadata")),
      tenant: row.decode("tenant"), concurrencyKey: row.decode("concurrency_key"), deadline: row.decode("deadline"),
      attemptID: row.decode("attempt_id"), failures: row.decode("failures"), losses: row.decode("losses"),
      errorCode: row.decode("error_code"), error: row.decode("error"), warnings: row.decode("warnings"),
      submittedBy: row.decode("submitted_by"), createdAt: row.decode("created_at"), runAt: row.decode("run_at"),
      startedAt: row.decode("started_at"), finishedAt: row.decode("finished_at"), phase: row.decode("phase"),
      step: row.decode("step"), progress: row.decode("progress"))
  }
}

extension AttemptRecord {
  fileprivate init(_ row: PostgresRow) throws {
    try self.init(
      id: row.decode("id"), workerID: row.decode("worker_id"), number: row.decode("number"),
      phase: row.decode("phase"), step: row.decode("step"), progress: row.decode("progress"),
      cancelRequested: row.decode("cancel_requested"), outcome: row.decode("outcome"),
      errorCode: row.decode("error_code"), error: row.decode("error"),
      timings: row.decode("timings", String?.self).map { JSONText($0) },
      startedAt: row.decode("started_at"), finishedAt: row.decode("finished_at"))
  }
}

extension JobImage {
  fileprivate init(_ row: PostgresRow) throws {
    try self.init(
      index: row.decode("index"), path: row.decode("path"), sha256: row.decode("sha256"), bytes: row.decode("bytes"),
      width: row.decode("width"), height: row.decode("height"), seed: row.decode("seed"))
  }
}
