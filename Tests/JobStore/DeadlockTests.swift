import JobStore
import Jobs
import Postgres
import Testing

/// Tintype takes its locks in one order. Somebody else, with a psql of their own, need not.
@Suite struct DeadlockTests {
  @Test func anOutcomeThatFallsVictimToADeadlockIsReportedAgain() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      let victim = queue.newStore()
      // Who waits in a circle notices after a second; the other side, which must win, later.
      try await queue.sql("SET deadlock_timeout = '60 s'")
      let (locked, lock) = AsyncStream.makeStream(of: Void.self)
      async let reply = {
        for await _ in locked {}
        return try await victim.finish(worker: worker, attempt: job.attemptID, job: id, outcome: success(job))
      }()
      try await queue.connection.transaction { connection in
        // The attempt first, the job then: the wrong order.
        try await connection.query("SELECT FROM tintype.attempts WHERE id = $1 FOR UPDATE", [.int(job.attemptID)])
        lock.finish()
        let waiting = "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        while try await connection.query(waiting).rows.isEmpty {}
        // Granted once the victim's transaction, which held the job, is undone; so the job still runs.
        let state = try await connection.query("SELECT state FROM tintype.jobs WHERE id = $1 FOR UPDATE", [.int(id)])
        #expect(try state.rows[0].decode("state", String.self) == "running")
      }
      #expect(try await reply == .applied(.succeeded))
      #expect(try await queue.state(id) == .succeeded)
      #expect(try await queue.value("SELECT count(*) FROM tintype.images") == 1)
    }
  }
}
