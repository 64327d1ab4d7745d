public import Jobs
internal import Postgres

extension JobStore {
  /// Inserts a job.
  ///
  /// - Returns: its id; with an idempotency key that the same request has used before, that job's id.
  /// - Throws: `PostgresError` that names the column and its legal values (23514); 23505 when another request has used
  ///   the idempotency key.
  public func enqueue(_ request: JobRequest) async throws -> Int64 {
    let sql = """
      SELECT tintype.enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                             make_interval(secs => $18), $19, $20, $21, $22, $23) AS id
      """
    let parameters: [PostgresValue?] = [
      .text(request.prompt), .optional(request.negativePrompt), .optional(request.model), .optional(request.width),
      .optional(request.height), .optional(request.steps), .optional(request.guidanceScale),
      .optional(request.strength), .optional(request.initImage), request.initImageData.map { .bytes($0) },
      .optional(request.initJob), .optional(request.seed), .optional(request.imageCount), .optional(request.queue),
      .optional(request.priority), .optional(request.runAt), .optional(request.maxAttempts),
      .optional(request.timeout), .optional(request.idempotencyKey), .optional(request.metadata),
      .optional(request.tenant), .optional(request.concurrencyKey), .optional(request.deadline),
    ]
    // Without a key a repetition would be a second job.
    let result =
      request.idempotencyKey == nil ? try await once(sql, parameters) : try await repeatable(sql, parameters)
    return try result.only().decode("id")
  }

  /// Ends a waiting job at once; asks the worker of a running one to stop.
  ///
  /// - Returns: the job's state now: `.cancelled`; `.running` while its worker is still to hear of it; another terminal
  ///   state if it had ended before.
  /// - Throws: `PostgresError`, P0002 if there is no such job or it is someone else's.
  @discardableResult
  public func cancel(job: Int64) async throws -> JobState {
    try await repeatable("SELECT tintype.cancel($1) AS state", [.int(job)]).only().decode("state")
  }

  /// Brings a failed or cancelled job back, with all its attempts.
  ///
  /// - Returns: the state in which it waits.
  /// - Throws: `PostgresError`, 55000 for a job in another state, P0002 as for `cancel`.
  @discardableResult
  public func retry(job: Int64) async throws -> JobState {
    try await once("SELECT tintype.retry($1) AS state", [.int(job)]).only().decode("state")
  }

  /// Brings failed jobs back, the newest first; not those whose `init_job` stays failed.
  ///
  /// - Parameters:
  ///   - queue: nil for every queue.
  ///   - errorCode: only those with this `jobs.error_code`; nil for all.
  /// - Returns: how many.
  @discardableResult
  public func retryFailed(queue: String? = nil, errorCode: String? = nil, limit: Int = 1000) async throws -> Int {
    try await once(
      "SELECT tintype.retry_failed($1, $2, $3) AS count", [.optional(queue), .optional(errorCode), .int(Int64(limit))]
    ).only().decode("count")
  }
}
