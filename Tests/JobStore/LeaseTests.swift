import JobStore
import Jobs
import Postgres
import Testing

/// What happens when a worker vanishes, hangs, or comes back from the dead.
@Suite struct LeaseTests {
  @Test func aHeartbeatRenewsTheLeaseAndStoresProgress() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      try await queue.expire(worker)
      let progress = AttemptProgress(attemptID: job.attemptID, phase: "denoise", step: 3, fraction: 0.75)
      #expect(try await queue.store.heartbeat(worker: worker, running: [progress]) == HeartbeatReply())
      #expect(try await queue.value("SELECT lease_until > now() + interval '10 s' FROM tintype.workers"))
      let record = try #require(try await queue.store.show(job: id)).job
      #expect(record.phase == "denoise" && record.step == 3 && record.progress == 0.75)
      let nonsense = AttemptProgress(attemptID: job.attemptID, phase: "denoise", step: 3, fraction: 7)
      _ = try await queue.store.heartbeat(worker: worker, running: [nonsense])
      #expect(try await queue.store.show(job: id)?.job.progress == 1)
    }
  }

  @Test func aDeadWorkersJobsAreRescued() async throws {
    try await withQueue { queue in
      try await queue.insert("prompt, max_attempts", "'x', 1")
      let dead = try await queue.worker()
      let alive = try await queue.worker()
      let job = try await queue.claimOne(dead)
      #expect(try await queue.store.maintain().rescued == 0)
      try await queue.expire(dead)
      let report = try await queue.store.maintain()
      #expect(report.workersLost == 1 && report.rescued == 1)
      let again = try await queue.claimOne(alive)
      #expect(again.id == job.id && again.attemptID > job.attemptID && again.attemptNumber == 1)

      // The dead one was only slow. Nothing that it says counts any more.
      #expect(try await queue.finish(job, by: dead, success(job)) == .leaseLost)
      #expect(try await queue.finish(job, by: dead, failure()) == .leaseLost)
      let reply = try await queue.store.heartbeat(worker: dead, running: [AttemptProgress(attemptID: job.attemptID)])
      #expect(reply == HeartbeatReply(revoked: [job.attemptID], drain: true, fenced: true))
      #expect(try await queue.claim(dead).isEmpty)
      #expect(try await queue.value("SELECT count(*) FROM tintype.images") == 0)

      #expect(try await queue.finish(again, by: alive, success(again)) == .applied(.succeeded))
      let outcomes = try #require(try await queue.store.show(job: job.id)).attempts
      #expect(outcomes.map(\.outcome) == ["lost", "succeeded"])
      #expect(outcomes.first?.error == "worker \(dead) (w on h, pid 1) did not renew its lease")
    }
  }

  @Test func aWorkerWhoseLeaseIsOverClaimsNothing() async throws {
    try await withQueue { queue in
      try await queue.insert()
      let worker = try await queue.worker()
      try await queue.expire(worker)
      #expect(try await queue.claim(worker).isEmpty)
      // Nobody has declared it lost yet: one heartbeat and it is back.
      #expect(try await queue.store.heartbeat(worker: worker, running: []) == HeartbeatReply())
      #expect(try await queue.claim(worker).count == 1)
    }
  }

  @Test func aJobThatTakesItsWorkersDownIsGivenUp() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      for loss in 1...3 {
        let worker = try await queue.worker()
        _ = try await queue.claimOne(worker)
        try await queue.expire(worker)
        #expect(try await queue.store.maintain().rescued == 1)
        #expect(try await queue.state(id) == (loss < 3 ? .ready : .failed))
      }
      let details = try #require(try await queue.store.show(job: id))
      #expect(details.job.errorCode == "worker_lost" && details.job.losses == 3 && details.job.failures == 0)
      #expect(
        details.job.error?.hasPrefix(
          "3 workers vanished while they ran this job, so it is not tried again; the last: worker ") == true)
      #expect(details.attempts.map(\.outcome) == ["lost", "lost", "lost"])
      #expect(try await queue.store.retry(job: id) == .ready)
      #expect(try await queue.store.show(job: id)?.job.losses == 0)
    }
  }

  @Test func afterAnOutageEveryoneMayComeBackFirst() async throws {
    try await withQueue { queue in
      try await queue.insert()
      let worker = try await queue.worker(lease: .seconds(7))
      _ = try await queue.claimOne(worker)
      try await queue.expire(worker)
      try await queue.sql("UPDATE tintype.maintenance SET last_run_at = now() - interval '16 seconds'")
      let report = try await queue.store.maintain()
      #expect(report.grace && report.workersLost == 0 && report.rescued == 0)
      // As long as the longest lease.
      let seconds: Double = try await queue.value(
        "SELECT extract(epoch FROM grace_until - last_run_at) FROM tintype.maintenance")
      #expect(seconds == 7)
      #expect(try await queue.store.maintain().grace)
      try await queue.sql("UPDATE tintype.maintenance SET grace_until = now()")
      #expect(try await queue.store.maintain().rescued == 1)
    }
  }

  @Test func aRestartOfTheDatabaseIsAnOutage() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      try await queue.expire(worker)
      // As if the server had come up after maintain() last ran. Ten seconds: less than the gap that counts by itself,
      // and more than the time since the server of these tests started would have to be.
      try await queue.sql(
        "UPDATE tintype.maintenance SET last_run_at = least(pg_postmaster_start_time(), now()) - interval '1 millisecond'"
      )
      #expect(try await queue.store.maintain().grace)
      #expect(try await queue.value("SELECT ended_at IS NULL FROM tintype.workers"))
    }
  }

  @Test func aClaimWhoseAnswerWasLostIsGivenBack() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let worker = try await queue.worker(lease: .seconds(20))
      let job = try await queue.claimOne(worker)
      // Just claimed: the answer may still be on its way.
      _ = try await queue.store.heartbeat(worker: worker, running: [])
      #expect(try await queue.state(id) == .running)
      try await queue.sql("UPDATE tintype.attempts SET started_at = now() - interval '21 seconds'")
      let listed = [AttemptProgress(attemptID: job.attemptID)]
      _ = try await queue.store.heartbeat(worker: worker, running: listed)
      #expect(try await queue.state(id) == .running)
      _ = try await queue.store.heartbeat(worker: worker, running: [])
      #expect(try await queue.state(id) == .ready)
      #expect(try await queue.store.heartbeat(worker: worker, running: listed).revoked == [job.attemptID])
    }
  }

  @Test func stopGivesEverythingBack() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.jobs (prompt) VALUES ('x'), ('y')")
      let worker = try await queue.worker()
      let jobs = try await queue.claim(worker, 2)
      #expect(try await queue.store.stop(worker: worker) == 2)
      #expect(try await queue.store.stop(worker: worker) == 0)
      #expect(try await queue.store.workerStatus().map(\.state) == ["stopped"])
      #expect(try await queue.finish(jobs[0], by: worker, success(jobs[0])) == .leaseLost)
      let next = try await queue.worker()
      let again = try await queue.claim(next, 2)
      #expect(again.map(\.attemptNumber) == [1, 1])
    }
  }

  @Test func drainReachesTheWorkerInItsHeartbeat() async throws {
    try await withQueue { queue in
      try await queue.insert()
      let worker = try await queue.worker()
      let listener = try await PostgresConnection.connect(PostgresConfiguration(url: queue.url))
      try await listener.listen(JobStore.controlChannel)
      try await queue.store.drain(worker: worker)
      #expect(try await queue.store.heartbeat(worker: worker, running: []) == HeartbeatReply(drain: true))
      #expect(try await queue.claim(worker).isEmpty)
      #expect(try await queue.store.workerStatus().map(\.state) == ["draining"])
      var heard = listener.notifications.makeAsyncIterator()
      #expect(await heard.next()?.payload == "\(worker)")
      await listener.close()
      let error = try await refusal { try await queue.store.drain(worker: WorkerID(rawValue: 999)) }
      #expect(error.message == "there is no live worker 999" && error.sqlState == "P0002")
    }
  }

  @Test func anAttemptThatIgnoresItsDeadlineIsEnded() async throws {
    try await withQueue { queue in
      let id = try await queue.insert("prompt, timeout", "'x', '60 seconds'")
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      #expect(job.timeout == 60)
      try await queue.sql(
        "UPDATE tintype.attempts SET started_at = now() - interval '89 s', deadline = now() - interval '29 s'")
      #expect(try await queue.store.maintain().timedOut == 0)
      try await queue.sql(
        "UPDATE tintype.attempts SET started_at = now() - interval '91 s', deadline = now() - interval '31 s'")
      #expect(try await queue.store.maintain().timedOut == 1)
      #expect(try await queue.state(id) == .scheduled)
      #expect(try await queue.error(id) == "not finished after 60 seconds, the job's timeout")
      #expect(
        try await queue.store.heartbeat(worker: worker, running: [AttemptProgress(attemptID: job.attemptID)]).revoked
          == [job.attemptID])
      #expect(try await queue.finish(job, by: worker, success(job)) == .leaseLost)
    }
  }

  @Test func oneMaintainerAtATime() async throws {
    try await withQueue { queue in
      try await queue.connection.transaction { connection in
        try await connection.query("SELECT tintype.maintain()")
        let report = try await queue.store.maintain()
        #expect(!report.ran)
      }
      #expect(try await queue.store.maintain().ran)
    }
  }
}
