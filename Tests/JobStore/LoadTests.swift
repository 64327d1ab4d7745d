import JobStore
import Jobs
import Postgres
import Testing

/// What must hold when much is going on.
@Suite struct LoadTests {
  /// A plan that is right only while its statistics are fresh turns a claim of a millisecond into one of seconds. Rows
  /// touched tell it apart at any size, which times do not.
  @Test func noStatementReadsMoreThanItsOwnJobs() async throws {
    try await withQueue { queue in
      // What the planner believes: many jobs are ready, none runs or is blocked. Then 2,000 of each.
      try await queue.sql("ALTER TABLE tintype.jobs SET (autovacuum_enabled = off)")
      let worker = try await queue.worker()
      let parent = try await queue.insert()
      try await queue.sql("INSERT INTO tintype.jobs (prompt, priority) SELECT 'x', 1 FROM generate_series(1, 4000)")
      try await queue.sql("ANALYZE tintype.jobs, tintype.attempts")
      try await queue.sql("SELECT FROM tintype.claim(\(worker), '{default}', '{m}', 2000)")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, init_job) SELECT 'x', \(parent) FROM generate_series(1, 2000)")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, run_at) SELECT 'x', now() + interval '1 h' FROM generate_series(1, 2000)")
      let touched = try await queue.connection.transaction { connection -> Int in
        func rowsRead() async throws -> Int {
          try await connection.query(
            """
            SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS rows FROM pg_stat_xact_user_tables
             WHERE schemaname = 'tintype' AND relname IN ('jobs', 'attempts')
            """
          ).rows[0].decode("rows")
        }
        // The counts include what this session has not reported yet of earlier transactions.
        let before = try await rowsRead()
        let job = try await connection.query("SELECT * FROM tintype.claim(\(worker), '{default}', '{m}', 1)").rows[0]
        let (id, attempt): (Int64, Int64) = try (job.decode("id"), job.decode("attempt_id"))
        try await connection.query(
          "SELECT tintype.finish(\(worker), \(attempt), \(id), 'failed', 'x', 'x', true, '[]', '{}', '{}')")
        try await connection.query("SELECT tintype.retry(\(id))")
        try await connection.query("SELECT tintype.cancel(\(id))")
        return try await rowsRead() - before
      }
      // Some forty rows, most of them the one job again and again.
      #expect(touched < 200)
    }
  }

  /// A session keeps its plans, and a worker's sessions are older than most of the history: they were planned when the tables
  /// were empty, say, and reading one from end to end was cheapest.
  @Test func plansThatWereMadeWhenTheTablesWereEmptyStayGood() async throws {
    try await withQueue { queue in
      for table in ["jobs", "attempts", "images"] {
        try await queue.sql("ALTER TABLE tintype.\(table) SET (autovacuum_enabled = off)")
        try await queue.sql("ANALYZE tintype.\(table)")
      }
      let worker = try await queue.worker()
      let images = """
        [{"index": 0, "path": "1.png", "sha256": "\(String(repeating: "ab", count: 32))", "bytes": 1, "width": 8, "height": 8,
          "seed": 1}]
        """
      let read = try await queue.connection.transaction { connection -> Int in
        func ask(_ sql: String) async throws -> PostgresRow { try await connection.query(sql).rows[0] }
        /// A job's life, and of two more together.
        func work() async throws {
          let job = try await ask("SELECT id, attempt_id FROM tintype.claim(\(worker), '{default}', '{m}', 1)")
          let (id, attempt): (Int64, Int64) = try (job.decode("id"), job.decode("attempt_id"))
          _ = try await ask(
            """
            SELECT fenced FROM tintype.heartbeat(\(worker), '[{"attempt": \(attempt), "phase": "denoise", "step": 1, "progress": 0.5}]')
            """)
          let state: String = try await ask(
            "SELECT tintype.finish(\(worker), \(attempt), \(id), 'succeeded', NULL, NULL, false, '\(images)', '{}', '{}') AS state"
          ).decode("state")
          #expect(state == "succeeded")
          let ended: Int = try await ask(
            """
            SELECT count(f.state) AS n FROM (SELECT jsonb_agg(jsonb_build_object('attempt', attempt_id, 'job', id, 'outcome', 'succeeded',
                'images', '\(images)'::jsonb, 'timings', '{}'::jsonb)) AS reports FROM tintype.claim(\(worker), '{default}', '{m}', 2)) c,
              LATERAL tintype.finish_all(\(worker), c.reports) f
            """
          ).decode("n")
          #expect(ended == 2)
        }
        func rowsRead() async throws -> Int {
          try await ask(
            """
            SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS rows FROM pg_stat_xact_user_tables
             WHERE schemaname = 'tintype' AND relname IN ('jobs', 'attempts', 'images')
            """
          ).decode("rows")
        }
        try await connection.query("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 2006)")
        try await work()
        _ = try await ask(
          """
          SELECT count(tintype.finish(\(worker), attempt_id, id, 'succeeded', NULL, NULL, false, '\(images)', '{}', '{}'))
            FROM tintype.claim(\(worker), '{default}', '{m}', 2000)
          """)
        let before = try await rowsRead()
        try await work()
        return try await rowsRead() - before
      }
      // Fifty rows and some; a table once from end to end is two thousand.
      #expect(read < 500)
    }
  }

  /// The same for what tenants, keys and everybody's maintenance add: each of these reads a few rows a job or a key, and never
  /// a line.
  @Test func noStatementReadsMoreThanItsOwnTenantsKeysAndDueJobs() async throws {
    try await withQueue { queue in
      try await queue.sql("ALTER TABLE tintype.jobs SET (autovacuum_enabled = off)")
      try await queue.sql("ANALYZE tintype.jobs, tintype.attempts")
      // 3,000 that wait, of 30 tenants with 100 jobs each; 2,000 of one key, of which one runs; 1,000 that are not due, 1,000 over.
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, tenant) SELECT 'x', 't' || n % 30 FROM generate_series(1, 3000) n")
      try await queue.sql("UPDATE tintype.queues SET max_running_per_key = 1, retention = '1 hour'")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, concurrency_key, priority) SELECT 'x', 'k', 1000 FROM generate_series(1, 2000)"
      )
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, run_at, deadline) SELECT 'x', now() + interval '1 h', now() + interval '2 h' FROM generate_series(1, 1000)"
      )
      try await queue.sql("INSERT INTO tintype.jobs (prompt, priority) SELECT 'over', 1 FROM generate_series(1, 1000)")
      let worker = try await queue.worker()
      try await queue.sql("SELECT tintype.cancel(id) FROM tintype.jobs WHERE prompt = 'over'")
      // Throttles the key's jobs, two hundred at a look.
      for _ in 0..<12 { try await queue.sql("SELECT FROM tintype.claim(\(worker), '{default}', '{m}', 1)") }
      #expect(try await queue.value("SELECT count(*) FROM tintype.jobs WHERE throttled") == 1999)
      let read = try await queue.connection.transaction { connection -> [String: Int] in
        var read: [String: Int] = [:]
        func count(_ name: String, _ sql: String) async throws {
          func rows() async throws -> Int {
            try await connection.query(
              """
              SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS rows FROM pg_stat_xact_user_tables
               WHERE schemaname = 'tintype' AND relname IN ('jobs', 'attempts')
              """
            ).rows[0].decode("rows")
          }
          let before = try await rows()
          try await connection.query(sql)
          read[name] = try await rows() - before
        }
        try await count("maintain", "SELECT tintype.maintain('0')")
        try await count("insert", "INSERT INTO tintype.jobs (prompt, tenant) VALUES ('x', 't1')")
        try await count("insert with key", "INSERT INTO tintype.jobs (prompt, concurrency_key) VALUES ('x', 'k')")
        try await count("claim", "SELECT FROM tintype.claim(\(worker), '{default}', '{m}', 1)")
        try await count("claim of ten", "SELECT FROM tintype.claim(\(worker), '{default}', '{m}', 10)")
        try await count("alike", "SELECT FROM tintype.claim(\(worker), '{default}', '{m}', 10, NULL, true)")
        return read
      }
      // A claim of ten alike looks at the next sixty-four of its line.
      for (name, most) in [
        ("maintain", 60), ("insert", 20), ("insert with key", 20), ("claim", 40), ("claim of ten", 200), ("alike", 400),
      ] { #expect(read[name, default: .max] <= most, "\(name): \(read)") }
    }
  }

  /// Claims, outcomes of every kind, cancels, retries, rescues, chains and maintenance, all at once and all in each
  /// other's way.
  @Test func everythingAtOnceLeavesNothingInconsistent() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET retry_base = '0', max_losses = 100")
      try await queue.sql("INSERT INTO tintype.jobs (prompt, max_attempts) SELECT 'x', 100 FROM generate_series(1, 60)")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, max_attempts, init_job) SELECT 'y', 100, id FROM tintype.jobs")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<6 {
          group.addTask { try await Self.work(queue.newStore(), number) }
        }
        group.addTask {
          let store = queue.newStore()
          for round in 0..<150 {
            try await store.cancel(job: Int64(1 + round % 120))
            _ = try? await store.retry(job: Int64(1 + (round * 7) % 120))
          }
        }
        group.addTask {
          let store = queue.newStore()
          for _ in 0..<60 {
            try await store.maintain()
            // Someone is always just dying.
            _ = try await queue.sql(
              "UPDATE tintype.workers SET lease_until = now() - interval '1 s' WHERE id = (SELECT max(id) FROM tintype.workers WHERE ended_at IS NULL)"
            )
          }
        }
        try await group.waitForAll()
      }
      try await queue.sql("UPDATE tintype.workers SET lease_until = now() - interval '1 s'")
      try await queue.store.maintain()

      #expect(try await queue.value("SELECT count(*) FROM tintype.jobs WHERE state = 'running'") == 0)
      #expect(try await queue.value("SELECT count(*) FROM tintype.attempts WHERE finished_at IS NULL") == 0)
      let counts = """
        SELECT count(*) FROM tintype.jobs j
          LEFT JOIN LATERAL (SELECT count(*) AS n FROM tintype.images i WHERE i.job_id = j.id) i ON true
          LEFT JOIN LATERAL (SELECT count(*) AS n FROM tintype.attempts a WHERE a.job_id = j.id AND a.outcome = 'succeeded') a ON true
         WHERE i.n <> (j.state = 'succeeded')::integer OR a.n <> i.n
        """
      #expect(try await queue.value(counts) == 0)
      let stranded = """
        SELECT count(*) FROM tintype.jobs c JOIN tintype.jobs p ON p.id = c.init_job
         WHERE c.state = 'blocked' AND p.finished_at IS NOT NULL
        """
      #expect(try await queue.value(stranded) == 0)
      // Something of everything did happen.
      for outcome in ["succeeded", "failed", "released", "lost"] {
        #expect(
          try await queue.value("SELECT EXISTS (SELECT FROM tintype.attempts WHERE outcome = '\(outcome)')"),
          "\(outcome)")
      }
      #expect(try await queue.value("SELECT EXISTS (SELECT FROM tintype.jobs WHERE state = 'cancelled')"))
    }
  }

  /// A worker's life, over and over: a new identity whenever it is fenced.
  private static func work(_ store: JobStore, _ number: Int) async throws {
    func register() async throws -> WorkerID {
      try await store.register(
        WorkerRegistration(
          name: "w\(number)", host: "h", processID: 1, version: "0", queues: ["default"], models: [], slots: 3))
    }
    var worker = try await register()
    for round in 0..<40 {
      let jobs = try await store.claim(worker: worker, queues: ["default"], models: [], limit: 1 + round % 3)
      let reply = try await store.heartbeat(
        worker: worker, running: jobs.map { AttemptProgress(attemptID: $0.attemptID, phase: "denoise", step: round) })
      for (index, job) in jobs.enumerated() {
        let outcome: JobOutcome
        switch (reply.cancel.contains(job.attemptID), (round + index + number) % 4) {
        case (true, _): outcome = .cancelled
        case (false, 0): outcome = success(job)
        case (false, 1): outcome = .released
        // Lost: nobody reports it.
        case (false, 2): continue
        case (false, _): outcome = failure()
        }
        try await store.finish(worker: worker, attempt: job.attemptID, job: job.id, outcome: outcome)
      }
      if reply.fenced { worker = try await register() }
    }
  }
}
