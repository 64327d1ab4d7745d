import JobStore
import Jobs
import Postgres
import Testing

/// Several outcomes in one statement: each judged by itself, all written or none.
@Suite struct ReportTests {
  private func report(_ job: Job, _ outcome: JobOutcome) -> AttemptReport {
    AttemptReport(attempt: job.attemptID, job: job.id, outcome: outcome)
  }

  @Test func eachIsJudgedByItself() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET retry_base = '1 hour', retry_cap = '1 hour'")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, image_count) SELECT 'x', 1 + n % 2 FROM generate_series(1, 8) n")
      let waits = try await queue.insert("prompt, init_job", "'x', 1")
      let (worker, other) = (try await queue.worker(), try await queue.worker())
      let jobs = try await queue.claim(worker, 7)
      let strange = try await queue.claimOne(other)
      let warned = success(jobs[0], warnings: ["the prompt was cut", "a \"b\", {c}\0"])
      // One that others have ended meanwhile.
      try await queue.sql(
        "UPDATE tintype.attempts SET deadline = now() - interval '1 hour' WHERE id = \(jobs[6].attemptID)")
      #expect(try await queue.store.maintain().timedOut == 1)
      let reports = [
        report(jobs[3], .released), report(jobs[0], warned), report(jobs[4], failure("a \0 b")),
        report(jobs[1], success(jobs[1])),
        report(jobs[2], .cancelled), report(jobs[5], failure(isPermanent: true)), report(strange, success(strange)),
        report(jobs[6], success(jobs[6])),
      ]
      let expected: [FinishReply] = [
        .applied(.ready), .applied(.succeeded), .applied(.scheduled), .applied(.succeeded), .applied(.cancelled),
        .applied(.failed), .leaseLost, .leaseLost,
      ]
      #expect(try await queue.store.finish(worker: worker, reports: reports) == expected)
      // The same again, as after a lost answer.
      #expect(try await queue.store.finish(worker: worker, reports: reports) == expected)
      #expect(try await queue.value("SELECT count(*) FROM tintype.images") == 3)
      #expect(
        try await queue.value("SELECT warnings FROM tintype.jobs WHERE id = 1") == [
          "the prompt was cut", "a \"b\", {c}\u{FFFD}",
        ])
      #expect(try await queue.error(jobs[4].id) == "a \u{FFFD} b")
      #expect(try await queue.state(strange.id) == .running)
      // What waited for one of them has been let go.
      #expect(try await queue.state(waits) == .ready)
    }
  }

  @Test func oneThatIsRefusedKeepsTheOthersFromBeingWritten() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 2)")
      let worker = try await queue.worker()
      var jobs = try await queue.claim(worker, 2)
      jobs[1].imageCount = 2
      let reports = jobs.map { report($0, success($0)) }
      let error = try await refusal { _ = try await queue.store.finish(worker: worker, reports: reports) }
      #expect(error.message == "a success must bring image_count = 1 images; got 2")
      #expect(try await queue.value("SELECT count(*) FROM tintype.jobs WHERE state = 'running'") == 2)
    }
  }

  @Test func twoWhoEndTheSameJobsInOppositeOrdersAgree() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 40)")
      let worker = try await queue.worker()
      let reports = try await queue.claim(worker, 40).map { report($0, success($0)) }
      async let forwards = queue.newStore().finish(worker: worker, reports: reports)
      async let backwards = queue.newStore().finish(worker: worker, reports: reports.reversed())
      #expect(try await Set(forwards + backwards) == [.applied(.succeeded)])
      #expect(try await queue.value("SELECT count(*) FROM tintype.images") == 40)
    }
  }
}
