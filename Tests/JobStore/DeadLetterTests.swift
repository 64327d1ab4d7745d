import JobStore
import Jobs
import Postgres
import Testing

/// Jobs that need a person.
@Suite struct DeadLetterTests {
  private func fail(_ queue: TestQueue, _ worker: WorkerID, permanently: Bool = false) async throws {
    let job = try await queue.claimOne(worker)
    _ = try await queue.finish(job, by: worker, failure(isPermanent: permanently))
  }

  @Test func theViewSaysWhy() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      let spent = try await queue.insert("prompt, max_attempts", "'secret', 1")
      try await fail(queue, worker)
      let hopeless = try await queue.insert("prompt, tenant", "'secret', 't'")
      let child = try await queue.insert("prompt, init_job", "'secret', \(hopeless)")
      try await fail(queue, worker, permanently: true)
      try await queue.sql("UPDATE tintype.queues SET max_losses = 1")
      let poison = try await queue.insert()
      let doomed = try await queue.worker()
      _ = try await queue.claimOne(doomed)
      try await queue.expire(doomed)
      try await queue.store.maintain()
      let rows = try await queue.sql("SELECT id, reason, attempts FROM tintype.dead_letters ORDER BY id")
      #expect(try rows.map { try $0.decode("id", Int64.self) } == [spent, hopeless, child, poison])
      #expect(
        try rows.map { try $0.decode("reason", String.self) } == ["attempts", "permanent", "init_job", "poison"])
      #expect(try rows.map { try $0.decode("attempts", Int.self) } == [1, 1, 0, 1])
      #expect(try await queue.value("SELECT count(*) FROM tintype.dead_letters d WHERE d::text LIKE '%secret%'") == 0)
    }
  }

  @Test func allOfAKindComeBackAtOnceParentsFirst() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      let parent = try await queue.insert()
      let child = try await queue.insert("prompt, init_job", "'y', \(parent)")
      try await fail(queue, worker, permanently: true)
      let other = try await queue.insert()
      let job = try await queue.claimOne(worker)
      _ = try await queue.finish(
        job, by: worker, .failed(JobError(code: "model_unavailable", message: "m", isPermanent: true)))
      let orphan = try await queue.insert()
      let grandchild = try await queue.insert("prompt, init_job", "'y', \(orphan)")
      try await queue.store.cancel(job: orphan)

      #expect(try await queue.store.retryFailed(queue: "nowhere") == 0)
      #expect(try await queue.store.retryFailed(errorCode: "model_unavailable") == 1)
      #expect(try await queue.state(other) == .ready)
      // What starts from a cancelled job's picture stays where it is.
      #expect(try await queue.store.retryFailed() == 2)
      #expect(try await queue.state(parent) == .ready)
      #expect(try await queue.state(child) == .blocked)
      #expect(try await queue.state(grandchild) == .failed)
      #expect(try await queue.store.retryFailed() == 0)
    }
  }

  @Test func nobodyBringsBackWhatIsNotTheirs() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      try await queue.insert("prompt, max_attempts", "'x', 1")
      try await fail(queue, worker)
      try await queue.sql(
        "DO $$ BEGIN CREATE ROLE test_dead LOGIN IN ROLE tintype_enqueuer; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
      )
      let stranger = try await PostgresConnection.connect(
        PostgresConfiguration(url: queue.url.replacing("user=postgres", with: "user=test_dead")))
      #expect(try await stranger.query("SELECT tintype.retry_failed() AS n").rows[0].decode("n") == 0)
      await stranger.close()
    }
  }
}
