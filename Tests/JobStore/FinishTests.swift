import JobStore
import Jobs
import Postgres
import Testing

@Suite struct FinishTests {
  @Test func aSuccessIsWrittenWhole() async throws {
    try await withQueue { queue in
      let id = try await queue.insert("prompt, image_count, seed", "'x', 2, 9223372036854775806")
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      #expect(
        try await queue.finish(job, by: worker, success(job, warnings: ["the prompt was cut", "a \"b\", {c}\0"]))
          == .applied(.succeeded))
      let details = try #require(try await queue.store.show(job: id))
      guard case .succeeded(let result) = success(job) else { return }
      #expect(details.images == result.images)
      #expect(details.job.warnings == ["the prompt was cut", "a \"b\", {c}\u{FFFD}"])
      #expect(details.job.state == .succeeded && details.job.finishedAt != nil && details.job.error == nil)
      let attempt = try #require(details.attempts.first)
      #expect(attempt.outcome == "succeeded" && attempt.progress == 1 && attempt.timings == #"{"denoise": 0.5}"#)
    }
  }

  @Test func aSuccessBringsEveryPicture() async throws {
    try await withQueue { queue in
      let id = try await queue.insert("prompt, image_count", "'x', 2")
      let worker = try await queue.worker()
      var job = try await queue.claimOne(worker)
      job.imageCount = 1
      let error = try await refusal { _ = try await queue.finish(job, by: worker, success(job)) }
      #expect(error.message == "a success must bring image_count = 2 images; got 1")
      #expect(try await queue.state(id) == .running)
    }
  }

  enum Report: CaseIterable { case success, failure, permanentFailure, cancelled, released }

  @Test(arguments: Report.allCases) func aSecondReportIsRecognised(report: Report) async throws {
    func outcome(_ job: Job) -> JobOutcome {
      switch report {
      case .success: success(job)
      case .failure: failure()
      case .permanentFailure: failure(isPermanent: true)
      case .cancelled: .cancelled
      case .released: .released
      }
    }
    try await withQueue { queue in
      try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      let first = try await queue.finish(job, by: worker, outcome(job))
      #expect(first != .leaseLost)
      #expect(try await queue.finish(job, by: worker, outcome(job)) == first)
      let details = try #require(try await queue.store.show(job: job.id))
      #expect(details.attempts.count == 1)
      #expect(details.job.failures <= 1)
    }
  }

  @Test func anotherOutcomeOrWorkerOrJobIsNot() async throws {
    try await withQueue { queue in
      let other = try await queue.insert()
      let worker = try await queue.worker()
      let stranger = try await queue.worker()
      let job = try await queue.claimOne(worker)
      #expect(try await queue.finish(job, by: stranger, success(job)) == .leaseLost)
      #expect(try await queue.state(job.id) == .running)
      #expect(try await queue.finish(job, by: worker, success(job)) == .applied(.succeeded))
      #expect(try await queue.finish(job, by: worker, failure()) == .leaseLost)
      var wrong = job
      wrong.id = other + 1
      #expect(try await queue.finish(wrong, by: worker, .released) == .leaseLost)
      #expect(try await queue.state(job.id) == .succeeded)
    }
  }

  @Test func aReleaseSpendsNoAttempt() async throws {
    try await withQueue { queue in
      let id = try await queue.insert("prompt, max_attempts", "'x', 1")
      let worker = try await queue.worker()
      for _ in 0..<3 {
        let job = try await queue.claimOne(worker)
        #expect(job.attemptNumber == 1)
        #expect(try await queue.finish(job, by: worker, .released) == .applied(.ready))
      }
      let job = try await queue.claimOne(worker)
      #expect(try await queue.finish(job, by: worker, failure()) == .applied(.failed))
      #expect(try await queue.error(id) == "the disk is full")
    }
  }

  @Test func failuresBackOffAndAreAllKept() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET retry_base = '100 seconds', retry_cap = '150 seconds'")
      let id = try await queue.insert()
      let worker = try await queue.worker()
      // Half of each wait is random, and the second has met the cap.
      for (number, range) in [(1, 50.0...100.0), (2, 75.0...150.0)] {
        let job = try await queue.claimOne(worker)
        #expect(job.attemptNumber == number)
        #expect(try await queue.finish(job, by: worker, failure("error \(number)")) == .applied(.scheduled))
        let wait: Double = try await queue.value(
          "SELECT extract(epoch FROM j.run_at - a.finished_at) FROM tintype.jobs j JOIN tintype.attempts a ON a.id = \(job.attemptID) WHERE j.id = \(id)"
        )
        // The two times are read from the clock microseconds apart.
        #expect(range.lowerBound <= wait && wait < range.upperBound + 1)
        #expect(try await queue.claim(worker).isEmpty)
        try await queue.sql("UPDATE tintype.jobs SET run_at = now() WHERE id = \(id)")
      }
      let job = try await queue.claimOne(worker)
      #expect(try await queue.finish(job, by: worker, failure("error 3")) == .applied(.failed))
      let details = try #require(try await queue.store.show(job: id))
      #expect(details.attempts.map(\.error) == ["error 1", "error 2", "error 3"])
      #expect(details.attempts.map(\.number) == [1, 2, 3])
      #expect(details.job.error == "error 3" && details.job.errorCode == "out_of_disk" && details.job.failures == 3)
    }
  }

  @Test func aPermanentErrorEndsItAtOnce() async throws {
    try await withQueue { queue in
      try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      #expect(
        try await queue.finish(job, by: worker, failure("no such file\0", isPermanent: true)) == .applied(.failed))
      #expect(try await queue.error(job.id) == "no such file\u{FFFD}")
    }
  }

  @Test(arguments: [1, 2, 3, 8, 50, 1000]) func theDelayIsRetryPolicys(failures: Int) async throws {
    try await withQueue { queue in
      for (base, cap) in [(5, 600), (60, 10), (0, 100), (86_400, 604_800)] {
        for jitter in [0, 0.25, 1] {
          let seconds: Double = try await queue.value(
            "SELECT extract(epoch FROM tintype.retry_delay('\(base) s', '\(cap) s', \(failures), \(jitter)))")
          let delay = RetryPolicy(base: .seconds(base), cap: .seconds(cap)).delay(
            afterFailures: failures, jitter: jitter)
          // PostgreSQL's intervals hold microseconds.
          #expect(abs(seconds - delay / .seconds(1)) < 1e-6)
        }
      }
    }
  }

  /// The fate of a job in SQL is that of `JobState.after`, for every outcome, with and without a cancel, last or not.
  @Test func fatesAreThoseOfTheTransitionFunction() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      let outcomes: [(String, Bool, AttemptOutcome)] = [
        ("succeeded", false, .succeeded), ("failed", false, .failed(isPermanent: false)),
        ("failed", true, .failed(isPermanent: true)), ("timed_out", false, .timedOut), ("cancelled", false, .cancelled),
        ("released", false, .released), ("lost", false, .lost),
      ]
      for (name, isPermanent, outcome) in outcomes {
        for cancelRequested in [false, true] {
          for isLast in [false, true] {
            try await queue.sql("UPDATE tintype.queues SET max_losses = \(isLast ? 1 : 2)")
            try await queue.insert("prompt, max_attempts", "'x', \(isLast ? 1 : 2)")
            let job = try await queue.claimOne(worker)
            if cancelRequested { try await queue.store.cancel(job: job.id) }
            let state: JobState = try await queue.value(
              "SELECT tintype.end_attempt(\(job.id), \(job.attemptID), '\(name)', 'code', 'text', \(isPermanent), null, null)"
            )
            let event = JobEvent.attemptEnded(outcome, cancelRequested: cancelRequested, isLast: isLast)
            #expect(try state == JobState.running.after(event), "\(event)")
            #expect(try await queue.state(job.id) == state)
            try await queue.sql("DELETE FROM tintype.jobs")
          }
        }
      }
    }
  }
}
