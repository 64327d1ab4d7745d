internal import Postgres

/// Everything the page asks the database, as JSON that the database writes: the columns' names are the page's vocabulary.
struct DashboardStore: Sendable {
  let session: PostgresSession

  /// What the role of this connection may see.
  struct Sight: Sendable, Equatable {
    /// Prompts, attempts and pictures, and not only views.
    var jobs: Bool
    var migrated: Bool
  }

  func sight() async throws -> Sight {
    try await look {
      let row = try await $0.query(
        """
        SELECT to_regclass('tintype.job_status') IS NOT NULL AS migrated,
               coalesce(has_table_privilege(to_regclass('tintype.jobs'), 'SELECT')
                    AND has_table_privilege(to_regclass('tintype.attempts'), 'SELECT')
                    AND has_table_privilege(to_regclass('tintype.images'), 'SELECT'), false) AS jobs
        """
      ).rows[0]
      return try Sight(jobs: row.decode("jobs"), migrated: row.decode("migrated"))
    }
  }

  /// Queues, workers with what they do, the latest errors.
  func now() async throws -> String {
    try await json(
      """
      SELECT json_build_object(
        'now', extract(epoch FROM now()),
        'queues', (SELECT coalesce(json_agg(q ORDER BY q.queue), '[]') FROM (
            SELECT queue, ready, scheduled, blocked, running, max_running, workers, paused_by, pause_reason,
                   extract(epoch FROM oldest_ready) AS oldest_ready, extract(epoch FROM paused_at) AS paused_at
              FROM tintype.queue_status) q),
        'workers', (SELECT coalesce(json_agg(w ORDER BY w.ended DESC NULLS FIRST, w.name), '[]') FROM (
            SELECT w.id, w.name, w.host, w.pid, w.version, w.models, w.queues, w.state,
                   extract(epoch FROM w.silent_for) AS silent_for, extract(epoch FROM w.ended_at) AS ended,
                   extract(epoch FROM w.started_at) AS started, j.id AS job, j.phase, j.step, j.progress
              FROM tintype.worker_status w
              LEFT JOIN tintype.job_status j ON j.worker_id = w.id AND j.state = 'running'
             ORDER BY w.ended_at DESC NULLS FIRST, w.name LIMIT 200) w),
        'errors', (SELECT coalesce(json_agg(e), '[]') FROM (
            SELECT extract(epoch FROM finished_at) AS at, job_id, worker, phase, outcome, error_code, error
              FROM tintype.recent_errors LIMIT 20) e))
      """)
  }

  /// The last hour: by minute, and how long jobs waited and ran.
  func hour() async throws -> String {
    try await json(
      """
      SELECT json_build_object(
        'now', extract(epoch FROM date_trunc('minute', now())),
        'minutes', (SELECT coalesce(json_agg(m ORDER BY m.minute), '[]') FROM (
            SELECT extract(epoch FROM minute) AS minute, sum(succeeded) AS succeeded, sum(failed) AS failed,
                   sum(cancelled) AS cancelled, sum(images) AS images
              FROM tintype.throughput GROUP BY minute) m),
        'times', (SELECT json_build_object('jobs', count(*),
              'wait', percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - run_at)::double precision),
              'run', percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at)::double precision))
            FROM tintype.job_status
           WHERE finished_at > now() - interval '1 hour' AND started_at IS NOT NULL
             AND queue = ANY (ARRAY(SELECT queue FROM tintype.queue_status))))
      """)
  }

  /// What a list of jobs is narrowed by; everything nil lists the newest.
  struct Filter: Sendable {
    var state: String?
    var queue: String?
    /// An id, or words of the prompt where those may be seen.
    var search: String?
    /// Only older ones: the last id of the page before.
    var before: Int64?
  }

  /// A page of jobs, the newest first. Filters look at the newest 50,000 only, so that a rare state does not read a history
  /// of millions.
  func jobs(_ filter: Filter, sight: Sight) async throws -> String {
    let prompts = sight.jobs
    return try await json(
      """
      SELECT coalesce(json_agg(p), '[]') FROM (
        SELECT s.id, s.state, s.queue, s.model, s.waiting_for, s.phase, s.step, s.progress, s.image_count, s.submitted_by,
               extract(epoch FROM s.created_at) AS created, extract(epoch FROM s.run_at) AS due,
               extract(epoch FROM s.started_at) AS started, extract(epoch FROM s.finished_at) AS finished, s.error_code\(prompts ? ", left(j.prompt, 300) AS prompt" : "")
          FROM (SELECT n.id
                  FROM (SELECT id, state, queue, error_code FROM tintype.job_status WHERE id < $4 ORDER BY id DESC LIMIT 50000) n
                  \(prompts ? "JOIN tintype.jobs j ON j.id = n.id" : "")
                 WHERE ($1::text IS NULL OR n.state = $1) AND ($2::text IS NULL OR n.queue = $2)
                   AND ($3::text IS NULL OR n.id::text = $3 OR n.error_code = $3\(prompts ? " OR strpos(lower(j.prompt), lower($3)) > 0" : ""))
                 ORDER BY n.id DESC LIMIT 100) page
          JOIN tintype.job_status s ON s.id = page.id \(prompts ? "JOIN tintype.jobs j ON j.id = page.id" : "")
         ORDER BY s.id DESC) p
      """,
      [
        filter.state.map { .text($0) }, filter.queue.map { .text($0) }, filter.search.map { .text($0) },
        .int(filter.before ?? .max),
      ])
  }

  /// One job with all there is to see of it; null when there is none.
  func job(_ id: Int64, sight: Sight) async throws -> String? {
    let more = """
      , 'request', (SELECT json_build_object('prompt', prompt, 'negative_prompt', negative_prompt, 'metadata', metadata,
            'timeout', extract(epoch FROM timeout), 'idempotency_key', idempotency_key, 'init_image', init_image,
            'error', error, 'warnings', warnings) FROM tintype.jobs WHERE id = $1),
        'attempts', (SELECT coalesce(json_agg(a ORDER BY a.id), '[]') FROM (
            SELECT a.id, a.number, a.worker_id, w.name AS worker, a.phase, a.step, a.progress, a.outcome, a.error_code, a.error, a.timings,
                   extract(epoch FROM a.started_at) AS started, extract(epoch FROM a.finished_at) AS finished
              FROM tintype.attempts a LEFT JOIN tintype.worker_status w ON w.id = a.worker_id WHERE a.job_id = $1) a),
        'images', (SELECT coalesce(json_agg(i ORDER BY i.index), '[]') FROM (
            SELECT index, path, encode(sha256, 'hex') AS sha256, bytes, width, height, seed::text AS seed FROM tintype.images WHERE job_id = $1) i)
      """
    return try await look {
      let rows = try await $0.query(
        """
        SELECT json_build_object('job', (SELECT row_to_json(s) FROM (
            SELECT s.*, s.seed::text AS seed_text, extract(epoch FROM s.created_at) AS created, extract(epoch FROM s.run_at) AS due,
                   extract(epoch FROM s.started_at) AS started, extract(epoch FROM s.finished_at) AS finished) s)\(sight.jobs ? more : ""))::text AS value
          FROM tintype.job_status s WHERE s.id = $1
        """, [.int(id)]
      ).rows
      return try rows.first?.decode("value", String.self)
    }
  }

  /// A page of pictures, the newest first; those of one job in their order.
  ///
  /// - Parameters:
  ///   - before: only pictures after this one in that order: `job.index`, the last of the page before.
  ///   - search: words of the prompt, looked for among the newest 50,000 pictures.
  ///   - limit: how many, 1...60.
  func gallery(before: String?, search: String?, limit: Int) async throws -> String {
    let parts = (before ?? "").split(separator: ".").map { Int64($0) }
    let (job, index) = parts.count == 2 ? (parts[0] ?? .max, parts[1] ?? 0) : (.max, 0)
    return try await json(
      """
      SELECT coalesce(json_agg(g), '[]') FROM (
        SELECT n.job_id, n.index, n.width, n.height, left(encode(n.sha256, 'hex'), 12) AS version, left(j.prompt, 300) AS prompt,
               extract(epoch FROM j.finished_at) AS at
          FROM (SELECT job_id, index, width, height, sha256 FROM tintype.images
                 WHERE job_id <= $1 AND (job_id < $1 OR index > $2) ORDER BY job_id DESC, index LIMIT 50000) n
          JOIN tintype.jobs j ON j.id = n.job_id
         WHERE $3::text IS NULL OR strpos(lower(j.prompt), lower($3)) > 0
         ORDER BY n.job_id DESC, n.index LIMIT $4) g
      """, [.int(job), .int(index), search.map { .text($0) }, .int(Int64(min(max(limit, 1), 60)))])
  }

  /// Where a picture lies, below the output folder, and the SHA-256 of its bytes in hexadecimal.
  func picture(job: Int64, index: Int64) async throws -> (path: String, sha256: String)? {
    try await look {
      let row = try await $0.query(
        "SELECT path, encode(sha256, 'hex') AS sha256 FROM tintype.images WHERE job_id = $1 AND index = $2",
        [.int(job), .int(index)]
      ).rows.first
      return try row.map { try ($0.decode("path"), $0.decode("sha256")) }
    }
  }

  /// What the page may ask for, each a function of the schema that checks the rights itself.
  enum Action: Sendable {
    case cancel(Int64)
    case retry(Int64)
    case pause(String, reason: String?)
    case resume(String)
  }

  func perform(_ action: Action) async throws {
    let (sql, parameters): (String, [PostgresValue?]) =
      switch action {
      case .cancel(let id): ("SELECT tintype.cancel($1)", [.int(id)])
      case .retry(let id): ("SELECT tintype.retry($1)", [.int(id)])
      case .pause(let queue, let reason): ("SELECT tintype.pause($1, $2)", [.text(queue), reason.map { .text($0) }])
      case .resume(let queue): ("SELECT tintype.resume($1)", [.text(queue)])
      }
    try await session.withConnection { _ = try await $0.query(sql, parameters) }
  }

  /// A connection that was lost since the last look is made anew; more is not tried, since the page asks again by itself.
  private func look<R>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
    try await session.withRetries(attempts: 2, body)
  }

  private func json(_ sql: String, _ parameters: [PostgresValue?] = []) async throws -> String {
    try await look {
      let row = try await $0.query(sql, parameters).rows[0]
      return try row.decode(row.columnNames[0], String.self)
    }
  }
}
