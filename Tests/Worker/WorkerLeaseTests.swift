import Jobs
import Postgres
import TestSupport
import Testing
import Worker

@Suite(.timeLimit(.minutes(2))) struct WorkerLeaseTests {
  /// The heartbeats of one worker are held up in the database; another one takes its job over; then the first comes back
  /// with a finished picture.
  @Test func aZombieDropsItsOutcomeAndRemovesItsFiles() async throws {
    try await withBench { bench in
      let job = try await bench.insert()[0]
      let release = Gate()
      let told = Gate()
      let zombie = ScriptedHandler { job, _ in
        await withTaskCancellationHandler {
          await release.passDeaf()
        } onCancel: {
          told.open()
        }
        return .pictures(of: job)
      }
      let rescuer = ScriptedHandler()
      let lock = try await PostgresConnection.connect(PostgresConfiguration(url: bench.url))
      let log = LineSink()
      let service = bench.service(zombie, log: log) {
        $0.lease = .seconds(1)
        // It must not do the rescuing itself, nor take the job again.
        $0.maintenanceInterval = .seconds(3600)
        $0.maxJobs = 1
      }
      var dropped: [String] = []
      try await running(service) { _ in
        // Also when the test fails: nobody could end a deaf handler otherwise.
        defer { release.open() }
        let attempt = try #require(await zombie.starts.next())
        // Its heartbeats wait for this lock, so the lease runs out on both sides.
        try await lock.transaction { connection in
          try await connection.query("SELECT id FROM tintype.workers FOR UPDATE")
          // What is asked of this very attempt: on a busy machine an earlier lease may have been lost before it began.
          await told.wait(atMost: .seconds(60))
          try #require(told.isOpen, "nobody told the job to stop; the log: \(log.lines.joined())")
        }
        // With a lease that no load outlasts, or it would not keep the job.
        try await bench.service(rescuer) { $0.maxJobs = 1 }.run()
        #expect(rescuer.startedJobs == [job])
        #expect(zombie.endedCount == 0)
        release.open()
        dropped = ["0/\(job)/\(attempt.attemptID)-0.png"]
      }
      await lock.close()
      // It has ended by itself, after its one job.
      #expect(log.lines.contains { $0.contains("outcome is dropped") })
      #expect(zombie.discarded == dropped)
      #expect(try await bench.state(job) == "succeeded")
      #expect(rescuer.discarded == [])
      #expect(
        try await bench.value("SELECT string_agg(outcome, ',' ORDER BY id) FROM tintype.attempts") == "lost,succeeded")
      #expect(
        try await bench.value(
          "SELECT a.number = 1 AND i.attempt_id = a.id FROM tintype.images i JOIN tintype.attempts a ON a.id = i.attempt_id"
        )
          == true)
    }
  }

  @Test func afterALostLeaseTheWorkerGoesOnUnderANewName() async throws {
    try await withBench { bench in
      let handler = ScriptedHandler()
      let log = LineSink()
      let service = bench.service(handler, log: log) { $0.maxJobs = 1 }
      try await running(service) { _ in
        try await log.wait(for: "ready")
        try await bench.sql("UPDATE tintype.workers SET ended_at = now(), ended_by = 'lost'")
        try await log.wait(for: "lease lost")
        try await bench.eventually("SELECT count(*) = 2 FROM tintype.workers")
        try await bench.insert()
      }
      #expect(handler.endedCount == 1)
      #expect(
        try await bench.value(
          "SELECT a.worker_id = max(w.id) FROM tintype.attempts a, tintype.workers w GROUP BY a.worker_id"))
    }
  }

  @Test func aDatabaseRestartInTheMiddleOfAJobCostsNothing() async throws {
    try await withCluster { cluster in
      let gate = Gate()
      let handler = ScriptedHandler.held(by: gate)
      let log = LineSink()
      try await withBench(on: cluster.url()) { bench in
        try await bench.insert()
        try await running(bench.service(handler, log: log) { $0.maxJobs = 1 }) { _ in
          _ = await handler.starts.next()
          try await cluster.restart(.immediate)
          try await log.wait(for: "database lost")
          gate.open()
        }
      }
      let outcome = try await cluster.psql(
        "SELECT state, losses, (SELECT count(*) FROM tintype.attempts) FROM tintype.jobs")
      #expect(outcome == "succeeded|0|1\n")
    }
  }

  @Test func aWorkerThatIsAskedToStopDoesNotWaitForADatabaseThatIsAway() async throws {
    try await withCluster { cluster in
      let log = LineSink()
      try await withBench(on: cluster.url()) { bench in
        try await running(bench.service(ScriptedHandler(), log: log)) { shutDown in
          try await log.wait(for: "ready")
          try await cluster.stop(.immediate)
          try await log.wait(for: "database lost")
          await shutDown()
        }
      }
      #expect(log.lines.contains { $0.contains("could not say goodbye") })
    }
  }

  /// A server of the test's own, to stop and start, migrated.
  private func withCluster(_ body: (PrivateCluster) async throws -> Void) async throws {
    let cluster = try await PrivateCluster.start()
    let result: Result<Void, any Error>
    do {
      try await WorkerBench.migrate(cluster.url())
      result = .success(try await body(cluster))
    } catch {
      result = .failure(error)
    }
    await cluster.remove()
    try result.get()
  }
}
