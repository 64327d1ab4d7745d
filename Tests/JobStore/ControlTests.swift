import JobStore
import Jobs
import Postgres
import Testing

/// enqueue, cancel, retry, retention, and the guard over every change of state.
@Suite struct ControlTests {
  @Test func theSameRequestWithItsKeyIsTheSameJob() async throws {
    try await withQueue { queue in
      var request = JobRequest(prompt: "a red boat")
      request.idempotencyKey = "order 7"
      let first = try await queue.store.enqueue(request)
      #expect(try await queue.store.enqueue(request) == first)
      // Also after it has ended.
      try await queue.store.cancel(job: first)
      #expect(try await queue.store.enqueue(request) == first)

      var other = request
      other.steps = 2
      let error = try await refusal { _ = try await queue.store.enqueue(other) }
      #expect(error.sqlState == "23505" && error.column == "idempotency_key")
      #expect(error.message == "idempotency_key 'order 7' is already used in queue default by another request")

      try await queue.worker(queues: ["burst"])
      other = request
      other.queue = "burst"
      #expect(try await queue.store.enqueue(other) != first)
      let plain = try await refusal { try await queue.insert("prompt, idempotency_key", "'a red boat', 'order 7'") }
      #expect(plain.sqlState == "23505" && plain.constraint == "jobs_queue_idempotency_key")
    }
  }

  @Test func manyAtOnceWithOneKeyMakeOneJob() async throws {
    try await withQueue { queue in
      let ids = try await withThrowingTaskGroup(of: Int64.self) { group in
        for _ in 0..<8 {
          let store = queue.newStore()
          group.addTask {
            var request = JobRequest(prompt: "a red boat")
            request.idempotencyKey = "k"
            return try await store.enqueue(request)
          }
        }
        return try await group.reduce(into: Set()) { $0.insert($1) }
      }
      #expect(ids.count == 1)
      #expect(try await queue.value("SELECT count(*) FROM tintype.jobs") == 1)
    }
  }

  @Test func aWaitingJobIsCancelledAtOnce() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      #expect(try await queue.store.cancel(job: id) == .cancelled)
      #expect(try await queue.store.cancel(job: id) == .cancelled)
      #expect(try await queue.error(id) == "cancelled by postgres")
      let worker = try await queue.worker()
      #expect(try await queue.claim(worker).isEmpty)
      let error = try await refusal { try await queue.store.cancel(job: 999) }
      #expect(error.sqlState == "P0002" && error.message == "there is no job 999 of yours")
    }
  }

  @Test func aRunningJobsWorkerIsTold() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      let listed = [AttemptProgress(attemptID: job.attemptID)]
      let listener = try await PostgresConnection.connect(PostgresConfiguration(url: queue.url))
      try await listener.listen(JobStore.controlChannel)
      #expect(try await queue.store.cancel(job: id) == .running)
      var heard = listener.notifications.makeAsyncIterator()
      #expect(await heard.next()?.payload == "\(worker)")
      await listener.close()
      #expect(try await queue.store.heartbeat(worker: worker, running: listed).cancel == [job.attemptID])
      #expect(try await queue.finish(job, by: worker, .cancelled) == .applied(.cancelled))
      #expect(try await queue.error(id) == "cancelled by postgres")
      #expect(
        try await queue.store.heartbeat(worker: worker, running: listed) == HeartbeatReply(revoked: [job.attemptID]))
    }
  }

  @Test func aCancelledJobOfADeadWorkerStaysCancelled() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let worker = try await queue.worker()
      _ = try await queue.claimOne(worker)
      try await queue.store.cancel(job: id)
      try await queue.expire(worker)
      try await queue.store.maintain()
      #expect(try await queue.state(id) == .cancelled)
    }
  }

  @Test func retryIsForFailedAndCancelledJobs() async throws {
    try await withQueue { queue in
      let id = try await queue.insert("prompt, max_attempts", "'x', 1")
      let worker = try await queue.worker()
      var error = try await refusal { try await queue.store.retry(job: id) }
      #expect(error.message == "job \(id) is ready: only a failed or cancelled job can be retried")
      var job = try await queue.claimOne(worker)
      _ = try await queue.finish(job, by: worker, failure())
      #expect(try await queue.store.retry(job: id) == .ready)
      let record = try #require(try await queue.store.show(job: id)).job
      #expect(record.failures == 0 && record.error == nil && record.finishedAt == nil && record.attemptID == nil)
      job = try await queue.claimOne(worker)
      _ = try await queue.finish(job, by: worker, success(job))
      error = try await refusal { try await queue.store.retry(job: id) }
      #expect(error.sqlState == "55000")
      #expect(try await queue.store.show(job: id)?.attempts.map(\.outcome) == ["failed", "succeeded"])
    }
  }

  @Test func finishedJobsArePrunedAfterTheirTime() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      for _ in 0..<2 {
        try await queue.insert()
        let job = try await queue.claimOne(worker)
        _ = try await queue.finish(job, by: worker, success(job))
      }
      let waiting = try await queue.insert()
      #expect(try await queue.store.maintain().pruned == 0)
      try await queue.sql("UPDATE tintype.queues SET retention = '1 day'")
      try await queue.sql("UPDATE tintype.jobs SET finished_at = now() - interval '25 hours' WHERE id = 1")
      #expect(try await queue.store.maintain().pruned == 1)
      #expect(try await queue.store.list().map(\.id) == [waiting, 2])
      #expect(try await queue.value("SELECT count(*) FROM tintype.images") == 1)
      #expect(try await queue.value("SELECT count(*) FROM tintype.attempts") == 1)
    }
  }

  @Test func listsTheNewestByStateAndQueue() async throws {
    try await withQueue { queue in
      try await queue.worker(queues: ["burst"])
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, queue) VALUES ('a', 'default'), ('b', 'burst'), ('c', 'default')")
      try await queue.store.cancel(job: 1)
      #expect(try await queue.store.list().map(\.prompt) == ["c", "b", "a"])
      #expect(try await queue.store.list(JobFilter(limit: 1)).map(\.prompt) == ["c"])
      #expect(try await queue.store.list(JobFilter(states: [.cancelled, .failed])).map(\.prompt) == ["a"])
      #expect(try await queue.store.list(JobFilter(queue: "burst")).map(\.prompt) == ["b"])
      #expect(try await queue.store.show(job: 99) == nil)
      let reasons = try await queue.store.list().map(\.waitingFor)
      #expect(reasons == ["a worker for queue default", "a free worker", nil])
      #expect(try await queue.store.show(job: 2)?.job.waitingFor == "a free worker")
    }
  }

  /// Even the owner of the tables cannot make a change of state that no event makes.
  @Test func theGuardKnowsExactlyTheEdgesOfTheTransitionFunction() async throws {
    let events: [JobEvent] =
      [
        .due, .initJobSucceeded(isDue: true), .initJobSucceeded(isDue: false), .initJobEnded, .deadlinePassed, .claimed,
        .cancelRequested,
      ]
      + [.succeeded, .failed(isPermanent: false), .failed(isPermanent: true), .cancelled, .released, .lost, .timedOut]
      .map { .attemptEnded($0, cancelRequested: false, isLast: false) }
    let retries = JobWait.allCases.map { JobEvent.retried($0) }
    try await withQueue { queue in
      let parent = try await queue.insert()
      for old in JobState.allCases {
        for new in JobState.allCases where new != old {
          func reachable(_ events: [JobEvent]) -> Bool { events.contains { (try? old.after($0)) == new } }
          for retrying in [false, true] {
            try await queue.sql("SET tintype.retry = '\(retrying ? "on" : "off")'")
            let id = try await queue.insert("prompt, init_job", "'y', \(parent)")
            try await queue.sql("SET session_replication_role = replica")
            try await queue.sql("UPDATE tintype.jobs SET \(Self.columns(of: old)) WHERE id = \(id)")
            try await queue.sql("SET session_replication_role = origin")
            let accepted: Bool
            do {
              try await queue.sql("UPDATE tintype.jobs SET \(Self.columns(of: new)) WHERE id = \(id)")
              accepted = true
            } catch let error as PostgresError {
              #expect(error.message == "job \(id) cannot go from \(old.rawValue) to \(new.rawValue)")
              accepted = false
            }
            #expect(
              accepted == reachable(retrying ? events + retries : events), "\(old) to \(new), retrying: \(retrying)")
          }
        }
      }
    }
  }

  /// Consistent values for everything that depends on the state.
  private static func columns(of state: JobState) -> String {
    let hasRun = state == .running || state.isTerminal
    return """
      state = '\(state.rawValue)', attempt_id = \(hasRun ? "1" : "null"), started_at = \(hasRun ? "now()" : "null"),
      finished_at = \(state.isTerminal ? "now()" : "null"),
      error_code = \(state == .failed ? "'x'" : "null"), error = \(state == .failed ? "'x'" : "null")
      """
  }

  @Test(arguments: [
    ("state = 'nonsense'", "state_is_known"), ("state = 'succeeded'", "finished_when_terminal"),
    ("finished_at = now()", "finished_when_terminal"), ("state = 'running'", "running_has_attempt"),
    ("attempt_id = 1", "waiting_has_no_attempt"), ("started_at = now()", "waiting_has_no_attempt"),
    ("state = 'blocked'", "blocked_has_init_job"), ("state = 'failed', finished_at = now()", "failed_has_error"),
    (
      "state = 'succeeded', finished_at = now(), attempt_id = 1, started_at = now(), error = 'x'",
      "succeeded_has_no_error"
    ),
    ("failures = -1", "counters_are_natural"),
  ]) func theTableHoldsItsInvariants(change: String, constraint: String) async throws {
    try await withQueue { queue in
      try await queue.insert()
      try await queue.sql("SET session_replication_role = replica")
      let error = try await refusal { try await queue.sql("UPDATE tintype.jobs SET \(change)") }
      #expect(error.sqlState == "23514" && error.constraint == constraint)
    }
  }
}
