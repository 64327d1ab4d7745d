import Jobs
import Testing
import Worker

@Suite(.timeLimit(.minutes(2))) struct WorkerShutdownTests {
  @Test func aDrainLetsTheRunningJobFinishAndTakesNoOther() async throws {
    try await withBench { bench in
      let jobs = try await bench.insert(2)
      let gate = Gate()
      let handler = ScriptedHandler.held(by: gate)
      try await running(bench.service(handler)) { shutDown in
        _ = await handler.starts.next()
        await shutDown()
        gate.open()
      }
      #expect(try await bench.state(jobs[0]) == "succeeded")
      #expect(try await bench.state(jobs[1]) == "ready")
    }
  }

  @Test func aJobThatOutlastsTheDrainIsGivenBackWithoutSpendingAnAttempt() async throws {
    try await withBench { bench in
      let job = try await bench.insert()[0]
      let handler = ScriptedHandler.held(by: Gate())
      try await running(bench.service(handler) { $0.drainTimeout = .milliseconds(100) }) { shutDown in
        _ = await handler.starts.next()
        await shutDown()
      }
      try await expectGivenBack(job, bench)
    }
  }

  @Test func asASecondRequestCutsTheDrainShort() async throws {
    try await withBench { bench in
      let job = try await bench.insert()[0]
      let handler = ScriptedHandler.held(by: Gate())
      let (impatience, again) = AsyncStream<Void>.makeStream()
      let service = bench.service(handler, impatience: impatience) { $0.drainTimeout = .seconds(3600) }
      try await running(service) { shutDown in
        _ = await handler.starts.next()
        await shutDown()
        again.yield()
      }
      try await expectGivenBack(job, bench)
    }
  }

  @Test func cancellationGivesJobsBackToo() async throws {
    try await withBench { bench in
      let job = try await bench.insert()[0]
      let handler = ScriptedHandler.held(by: Gate())
      let service = bench.service(handler)
      let task = Task { try await service.run() }
      _ = await handler.starts.next()
      task.cancel()
      try await task.value
      try await expectGivenBack(job, bench)
    }
  }

  @Test func theDatabaseCanAskForADrain() async throws {
    try await withBench { bench in
      let handler = ScriptedHandler()
      let service = bench.service(handler)
      try await running(service) { _ in
        try await bench.eventually("SELECT count(*) = 1 FROM tintype.workers")
        try await bench.sql("UPDATE tintype.workers SET desired = 'drain'")
      }
      #expect(try await bench.value("SELECT ended_by FROM tintype.workers") == "stop")
    }
  }

  @Test func stoppingWhileModelsLoadTakesNoJob() async throws {
    try await withBench { bench in
      let job = try await bench.insert()[0]
      let loading = Gate()
      let handler = ScriptedHandler(prepare: { _ in
        loading.open()
        try await Gate().pass()
      })
      try await running(bench.service(handler)) { shutDown in
        await loading.wait()
        await shutDown()
      }
      #expect(handler.startedJobs == [])
      #expect(try await bench.state(job) == "ready")
    }
  }

  private func expectGivenBack(_ job: Int64, _ bench: WorkerBench) async throws {
    #expect(try await bench.state(job) == "ready")
    #expect(try await bench.value("SELECT failures FROM tintype.jobs") == 0)
    #expect(try await bench.value("SELECT outcome FROM tintype.attempts") == "released")
    #expect(try await bench.value("SELECT ended_by FROM tintype.workers") == "stop")
  }
}
