import JobStore
import Jobs
import Postgres
import Testing

/// Who gets which job when several could: models in memory, shapes, and heads of lines that are full of dead entries.
@Suite struct ClaimOrderTests {
  private func claim(
    _ queue: TestQueue, _ worker: WorkerID, _ limit: Int = 1, loaded: [String]?, alike: Bool = false
  ) async throws -> [Job] {
    try await queue.store.claim(
      worker: worker, queues: ["default"], models: ["m", "n"], limit: limit, loaded: loaded, alike: alike)
  }

  @Test func aWorkerThatHoldsTheModelComesFirst() async throws {
    try await withQueue { queue in
      // Three seconds may pass between two statements of a busy machine.
      try await queue.sql("UPDATE tintype.queues SET model_affinity = '10 minutes'")
      let warm = try await queue.worker()
      let cold = try await queue.worker()
      _ = try await claim(queue, warm, loaded: ["n"])
      let job = try await queue.insert("prompt, model", "'x', 'n'")
      #expect(try await claim(queue, cold, loaded: ["m"]).isEmpty)
      #expect(try await claim(queue, warm, loaded: ["n"]).map(\.id) == [job])
    }
  }

  @Test func theHeadStartIsBounded() async throws {
    try await withQueue { queue in
      let warm = try await queue.worker()
      let cold = try await queue.worker()
      _ = try await claim(queue, warm, loaded: ["n"])
      let job = try await queue.insert("prompt, model, run_at", "'x', 'n', now() - interval '3.1 seconds'")
      #expect(try await claim(queue, cold, loaded: ["m"]).map(\.id) == [job])
    }
  }

  /// The one that has it may be draining, dead, or serve other queues: then there is nothing to wait for.
  @Test(arguments: [
    "desired = 'drain'", "lease_until = now() - interval '1 s'", "queues = '{other}'", "loaded = null",
    "ended_at = now(), ended_by = 'stop'",
  ]) func nobodyIsWaitedForInVain(change: String) async throws {
    try await withQueue { queue in
      let warm = try await queue.worker()
      let cold = try await queue.worker()
      _ = try await claim(queue, warm, loaded: ["n"])
      let job = try await queue.insert("prompt, model", "'x', 'n'")
      try await queue.sql("UPDATE tintype.workers SET \(change) WHERE id = \(warm)")
      #expect(try await claim(queue, cold, loaded: ["m"]).map(\.id) == [job])
    }
  }

  @Test func aLoadedModelsJobsGoALittleAheadOfTheirTurn() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET model_affinity = '10 minutes'")
      let older = try await queue.insert("prompt, model, run_at", "'x', 'n', now() - interval '5 minutes'")
      let loaded = try await queue.insert("prompt, model", "'x', 'm'")
      let oldest = try await queue.insert("prompt, model, run_at", "'x', 'n', now() - interval '15 minutes'")
      let worker = try await queue.worker()
      let order = try await claim(queue, worker, 3, loaded: ["m"]).map(\.id)
      #expect(order == [oldest, loaded, older])
    }
  }

  @Test func strictOrderOnRequestAndForWorkersThatDoNotSay() async throws {
    try await withQueue { queue in
      let older = try await queue.insert("prompt, model, run_at", "'x', 'n', now() - interval '2 seconds'")
      let loaded = try await queue.insert("prompt, model", "'x', 'm'")
      let worker = try await queue.worker()
      let jobs = try await claim(queue, worker, 2, loaded: nil)
      #expect(jobs.map(\.id) == [older, loaded])
      for job in jobs { _ = try await queue.finish(job, by: worker, .released) }
      try await queue.sql("UPDATE tintype.queues SET model_affinity = '0'")
      #expect(try await claim(queue, worker, 2, loaded: ["m"]).map(\.id) == [older, loaded])
    }
  }

  @Test func severalOfOneShapeComeTogether() async throws {
    try await withQueue { queue in
      let first = try await queue.insert("prompt, width, height", "'x', 512, 512")
      let wide = try await queue.insert("prompt, width, height", "'x', 768, 512")
      let alike = try await queue.insert("prompt, width, height, seed", "'y', 512, 512, 7")
      try await queue.insert("prompt, width, height, steps", "'x', 512, 512, 4")
      try await queue.insert("prompt, width, height, guidance_scale, steps", "'x', 512, 512, 5, 1")
      let worker = try await queue.worker()
      let jobs = try await claim(queue, worker, 5, loaded: nil, alike: true)
      #expect(jobs.map(\.id) == [first, alike])
      // The next in line leads the next group: nobody is passed over twice.
      #expect(try await claim(queue, worker, 5, loaded: nil, alike: true).first?.id == wide)
    }
  }

  @Test func jobsTakenTogetherKeepEveryLimit() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET max_running = 4, max_running_per_key = 2")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, concurrency_key) SELECT 'x', 'k' FROM generate_series(1, 9)")
      try await queue.sql("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 9)")
      let worker = try await queue.worker()
      #expect(try await claim(queue, worker, 9, loaded: nil, alike: true).map(\.id) == [1, 2, 10, 11])
    }
  }

  /// A job that has taken a worker down must not take others' results with it.
  @Test func aSuspectRunsAlone() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 3)")
      try await queue.sql("UPDATE tintype.jobs SET losses = 1 WHERE id = 1")
      let worker = try await queue.worker()
      #expect(try await claim(queue, worker, 3, loaded: nil, alike: true).map(\.id) == [1])
      #expect(try await claim(queue, worker, 3, loaded: nil, alike: true).map(\.id) == [2, 3])
    }
  }

  // MARK: A snapshot held by somebody else

  /// Entries of the line's index that a claim reads, dead ones included: what the time of a claim hangs on, at any size.
  private func entriesRead(_ queue: TestQueue, _ worker: WorkerID) async throws -> (job: Int64?, entries: Int) {
    try await queue.connection.transaction { connection in
      let before: Int = try await connection.query("SELECT tintype.entries_read() AS n").rows[0].decode("n")
      let job = try await connection.query("SELECT id FROM tintype.claim(\(worker), '{default}', '{m}', 1)").rows.first
      let after: Int = try await connection.query("SELECT tintype.entries_read() AS n").rows[0].decode("n")
      return (try job?.decode("id"), after - before)
    }
  }

  @Test func aSnapshotThatSomebodyHoldsDoesNotRuinClaims() async throws {
    try await withQueue { queue in
      let reader = try await PostgresConnection.connect(PostgresConfiguration(url: queue.url))
      try await queue.sql("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 2000)")
      try await queue.sql("ANALYZE tintype.jobs")
      let worker = try await queue.worker()
      try await reader.transaction(.repeatableRead) { reader in
        try await reader.query("SELECT FROM tintype.queues")
        // While the reader holds its snapshot, none of these dead entries can be removed.
        for _ in 0..<12 { try await queue.sql("SELECT FROM tintype.claim(\(worker), '{default}', '{m}', 100)") }
        // The pile was noticed on the way up, or is by the next claim; from then on claims start behind it.
        _ = try await entriesRead(queue, worker)
        try await queue.sql("UPDATE tintype.lines SET checked_at = clock_timestamp()")
        let claim = try await entriesRead(queue, worker)
        // From the very beginning it would be 2,400, as each is read twice.
        #expect(claim.job == 1202 && claim.entries < 700, "\(claim)")

        // What has joined before the place that is written down waits a second, not for ever.
        let urgent = try await queue.insert("prompt, priority", "'x', 5")
        try await queue.sql("UPDATE tintype.lines SET checked_at = now() - interval '1.1 seconds'")
        #expect(try await entriesRead(queue, worker).job == urgent)
      }
      // The snapshot is gone, vacuum has been, and the order is exact again.
      await reader.close()
      try await queue.sql("VACUUM tintype.jobs")
      try await queue.sql("UPDATE tintype.lines SET checked_at = now() - interval '1.1 seconds'")
      _ = try await entriesRead(queue, worker)
      #expect(try await queue.value("SELECT bool_and(begins_at = '-infinity') FROM tintype.lines"))
      let next = try await queue.insert("prompt, priority", "'x', 5")
      let last = try await entriesRead(queue, worker)
      #expect(last.job == next && last.entries < 20, "\(last)")
    }
  }

  @Test func anEmptyAnswerComesOnlyAfterALookEverywhere() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.lines VALUES ('default', '', now() + interval '1 hour', 1, now())")
      let id = try await queue.insert()
      let worker = try await queue.worker()
      #expect(try await queue.claim(worker).map(\.id) == [id])
    }
  }
}
