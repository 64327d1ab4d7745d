import JobStore
import Jobs
import Postgres
import Testing

/// The database's clock is set back: what was written before lies in the future, for as long as the step was. Each test
/// puts the times of the rows ahead, which is the same.
@Suite struct ClockTests {
  @Test func aDeadWorkersLeaseDoesNotLastAsLongAsTheStep() async throws {
    try await withQueue { queue in
      try await queue.insert()
      let dead = try await queue.worker(lease: .seconds(7))
      _ = try await queue.claimOne(dead)
      try await queue.sql("UPDATE tintype.workers SET lease_until = lease_until + interval '1 hour'")
      #expect(try await queue.store.maintain().rescued == 0)
      // No longer than a lease from now; and then it is over as any other.
      #expect(
        try await queue.value(
          "SELECT lease_until BETWEEN now() + interval '6 s' AND now() + interval '7 s' FROM tintype.workers"))
      try await queue.expire(dead)
      #expect(try await queue.store.maintain().rescued == 1)
    }
  }

  @Test func aLivingWorkersLeaseIsPutRightByItsHeartbeat() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker(lease: .seconds(20))
      try await queue.sql("UPDATE tintype.workers SET lease_until = lease_until + interval '1 hour'")
      #expect(try await queue.store.heartbeat(worker: worker, running: []) == HeartbeatReply())
      #expect(try await queue.value("SELECT lease_until < now() + interval '21 s' FROM tintype.workers"))
    }
  }

  @Test func graceAfterAnOutageDoesNotLastAsLongAsTheStep() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker(lease: .seconds(7))
      try await queue.sql(
        """
        UPDATE tintype.maintenance SET
          last_run_at = now() + interval '1 hour', grace_until = now() + interval '1 hour 7 seconds'
        """)
      // A last time that lies ahead is no reason to do nothing.
      let report = try await queue.store.maintain(unlessWithin: .seconds(1))
      #expect(report.ran && report.grace)
      #expect(
        try await queue.value(
          "SELECT grace_until <= now() + interval '7 s' AND last_run_at <= now() FROM tintype.maintenance"))
      try await queue.expire(worker)
      try await queue.sql("UPDATE tintype.maintenance SET grace_until = now()")
      #expect(try await queue.store.maintain().workersLost == 1)
    }
  }

  @Test func aClaimThatNobodyHeardOfIsGivenBackAllTheSame() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let worker = try await queue.worker()
      _ = try await queue.claimOne(worker)
      try await queue.sql("UPDATE tintype.attempts SET started_at = now() + interval '1 hour'")
      _ = try await queue.store.heartbeat(worker: worker, running: [])
      #expect(try await queue.state(id) == .ready)
    }
  }

  /// The place where a line is said to begin would hide an urgent job for an hour.
  @Test func whereALineBeginsIsNotBelievedFromTheFuture() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      try await queue.insert()
      try await queue.sql(
        """
        INSERT INTO tintype.lines (queue, model, begins_at, begins_id, checked_at)
          VALUES ('default', '', now() - interval '1 second', 0, now() + interval '1 hour')
        """)
      let urgent = try await queue.insert("prompt, priority", "'x', 5")
      #expect(try await queue.claimOne(worker).id == urgent)
    }
  }

  @Test func fairSharesGoOn() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      try await queue.sql("UPDATE tintype.fairness SET moved_at = now() + interval '1 hour'")
      try await queue.sql("INSERT INTO tintype.jobs (prompt, tenant) SELECT 'x', 't' FROM generate_series(1, 60)")
      _ = try await queue.claim(worker, 60)
      #expect(try await queue.value("SELECT ahead > '0' AND moved_at <= clock_timestamp() FROM tintype.fairness"))
    }
  }
}
