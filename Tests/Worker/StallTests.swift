import Jobs
import Testing
import Worker

/// A job that makes no progress, on a worker whose heart beats on.
@Suite(.timeLimit(.minutes(2))) struct StallTests {
  private func service(
    _ bench: WorkerBench, _ handler: ScriptedHandler, stuck: Gate? = nil, log: LineSink = LineSink()
  ) -> WorkerService {
    bench.service(handler, log: log, stuck: stuck) {
      $0.liveness = Liveness(phaseBudgets: [:], defaultBudget: .milliseconds(400))
      $0.stopGrace = .milliseconds(500)
      $0.maxJobs = 1
    }
  }

  @Test func hungInferenceIsNoticedAndTriedElsewhere() async throws {
    try await withBench { bench in
      let never = Gate()
      let handler = ScriptedHandler { job, reporter in
        reporter.report(phase: "denoise", step: 1, fraction: 0.1)
        try await never.pass()
        return .pictures(of: job)
      }
      let job = try await bench.insert()[0]
      let log = LineSink()
      try await service(bench, handler, log: log).run()
      #expect(try await bench.state(job) == "scheduled")
      #expect(try await bench.value("SELECT outcome || ' ' || error_code FROM tintype.attempts") == "failed stalled")
      #expect(log.lines.contains { $0.contains("no progress in denoise") })
    }
  }

  @Test func slowProgressIsNoStall() async throws {
    try await withBench { bench in
      let handler = ScriptedHandler { job, reporter in
        for step in 1...10 {
          reporter.report(phase: "denoise", step: step, fraction: Double(step) / 10)
          try await Task.sleep(for: .milliseconds(100))
        }
        return .pictures(of: job)
      }
      let job = try await bench.insert()[0]
      try await service(bench, handler).run()
      #expect(try await bench.state(job) == "succeeded")
    }
  }

  /// A thread that hangs in a driver hears no request to stop. Everything is given back, and the process ends.
  @Test func aHungJobThatDoesNotStopIsGivenUpAndTheProcessEnds() async throws {
    try await withBench { bench in
      let release = Gate()
      let stuck = Gate()
      let handler = ScriptedHandler { job, _ in
        await release.passDeaf()
        return .pictures(of: job)
      }
      let job = try await bench.insert()[0]
      try await running(service(bench, handler, stuck: stuck)) { _ in
        // The test could not end a deaf handler otherwise; in production the process is gone here.
        defer { release.open() }
        await stuck.wait(atMost: .seconds(30))
        #expect(stuck.isOpen)
        #expect(try await bench.state(job) == "scheduled")
        let code: String = try await bench.value("SELECT error_code FROM tintype.attempts")
        #expect(code == "stalled")
        #expect(try await bench.value("SELECT ended_by FROM tintype.workers") == "stop")
      }
      // What it finished after all counts for nothing.
      #expect(try await bench.value("SELECT count(*) FROM tintype.images") == 0)
    }
  }
}
