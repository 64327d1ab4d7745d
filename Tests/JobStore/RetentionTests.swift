import JobStore
import Jobs
import Postgres
import Testing

/// Rows and files go together: what the database says about which files are to be removed.
@Suite struct RetentionTests {
  private func worker(_ queue: TestQueue, output: String?) async throws -> WorkerID {
    let worker = try await queue.worker()
    if let output { try await queue.store.own(output: output, worker: worker) }
    return worker
  }

  private func run(_ queue: TestQueue, _ worker: WorkerID) async throws -> Job {
    try await queue.insert()
    let job = try await queue.claimOne(worker)
    _ = try await queue.finish(job, by: worker, success(job))
    return job
  }

  @Test func aDeletedJobLeavesTheOrderToRemoveItsFiles() async throws {
    try await withQueue { queue in
      let worker = try await worker(queue, output: "here")
      let neighbour = try await self.worker(queue, output: "here")
      let stranger = try await self.worker(queue, output: "elsewhere")
      let first = try await run(queue, worker)
      let second = try await run(queue, worker)
      try await queue.sql("UPDATE tintype.queues SET retention = '1 day'")
      try await queue.sql("UPDATE tintype.jobs SET finished_at = now() - interval '25 hours' WHERE id = \(first.id)")
      #expect(try await queue.store.maintain().pruned == 1)
      // Also what somebody deletes by hand.
      try await queue.sql("DELETE FROM tintype.jobs WHERE id = \(second.id)")
      // Whoever has the folder may carry it out, and until it is struck off it stands.
      for _ in 0..<2 { #expect(try await queue.store.removalsDue(worker: neighbour) == [first.id, second.id]) }
      #expect(try await queue.store.removalsDue(worker: stranger) == [])
      try await queue.store.removalsDone(worker: stranger, jobs: [first.id])
      try await queue.store.removalsDone(worker: worker, jobs: [first.id])
      #expect(try await queue.store.removalsDue(worker: worker) == [second.id])
    }
  }

  @Test func theOrderAndTheDeletionAreOneTransaction() async throws {
    try await withQueue { queue in
      let worker = try await worker(queue, output: "here")
      let job = try await run(queue, worker)
      struct Crash: Error {}
      await #expect(throws: Crash.self) {
        try await queue.connection.transaction { connection in
          try await connection.query("DELETE FROM tintype.jobs WHERE id = \(job.id)")
          throw Crash()
        }
      }
      #expect(try await queue.store.removalsDue(worker: worker) == [])
      #expect(try await queue.value("SELECT count(*) FROM tintype.images") == 1)
    }
  }

  @Test func everyFolderInWhichAnAttemptRanIsCleared() async throws {
    try await withQueue { queue in
      let lost = try await worker(queue, output: "there")
      let winner = try await worker(queue, output: "here")
      let plain = try await worker(queue, output: nil)
      try await queue.insert()
      for worker in [lost, plain] {
        let job = try await queue.claimOne(worker)
        _ = try await queue.finish(job, by: worker, .released)
      }
      let job = try await queue.claimOne(winner)
      _ = try await queue.finish(job, by: winner, success(job))
      try await queue.sql("DELETE FROM tintype.jobs")
      for worker in [lost, winner] { #expect(try await queue.store.removalsDue(worker: worker) == [job.id]) }
      #expect(try await queue.store.removalsDue(worker: plain) == [])
    }
  }

  @Test func onlyEvidenceMakesAnOrphan() async throws {
    try await withQueue { queue in
      let worker = try await worker(queue, output: "here")
      let succeeded = try await run(queue, worker)
      try await queue.insert()
      let failed = try await queue.claimOne(worker)
      _ = try await queue.finish(failed, by: worker, failure())
      let deleted = try await run(queue, worker)
      try await queue.sql("DELETE FROM tintype.jobs WHERE id = \(deleted.id)")
      try await queue.insert()
      let running = try await queue.claimOne(worker)
      func orphans() async throws -> [Int64] {
        try await queue.store.orphans(
          worker: worker,
          among: [
            AttemptFile(job: succeeded.id, attempt: succeeded.attemptID),
            AttemptFile(job: failed.id, attempt: failed.attemptID),
            AttemptFile(job: deleted.id, attempt: deleted.attemptID),
            AttemptFile(job: running.id, attempt: running.attemptID),
            // Given out by a database that has since been restored from an older backup.
            AttemptFile(job: 10_000, attempt: 10_000),
            AttemptFile(job: succeeded.id, attempt: 10_000),
            // A name that fits no attempt.
            AttemptFile(job: succeeded.id, attempt: failed.attemptID),
          ])
      }
      // The failed attempt has only just ended: its worker may still be removing the files itself.
      #expect(try await orphans() == [deleted.attemptID])
      try await queue.sql(
        "UPDATE tintype.attempts SET finished_at = now() - interval '2 minutes' WHERE finished_at IS NOT NULL")
      #expect(try await orphans() == [failed.attemptID, deleted.attemptID])
    }
  }

  @Test func aWorkerWithoutAFolderIsAskedForNothing() async throws {
    try await withQueue { queue in
      let worker = try await worker(queue, output: nil)
      let job = try await run(queue, worker)
      try await queue.sql("DELETE FROM tintype.jobs")
      #expect(try await queue.value("SELECT count(*) FROM tintype.removals") == 0)
      #expect(
        try await queue.store.orphans(worker: worker, among: [AttemptFile(job: job.id, attempt: job.attemptID)]) == [])
    }
  }
}
