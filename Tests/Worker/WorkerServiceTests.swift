import Foundation
import JobStore
import Jobs
import Postgres
import TestSupport
import Testing
import Worker

@Suite(.timeLimit(.minutes(2))) struct WorkerServiceTests {
  @Test func jobsRunAndFinish() async throws {
    try await withBench { bench in
      let jobs = try await bench.insert(5, columns: "prompt, image_count", values: "'a red boat', 2")
      let handler = ScriptedHandler()
      try await bench.service(handler) {
        $0.slots = 2
        $0.maxJobs = 5
      }.run()
      #expect(handler.startedJobs.sorted() == jobs)
      for job in jobs { #expect(try await bench.state(job) == "succeeded") }
      #expect(try await bench.value("SELECT count(*) FROM tintype.images") == 10)
      #expect(try await bench.value("SELECT warnings[1] FROM tintype.jobs LIMIT 1") == "the prompt was cut")
      #expect(try await bench.value("SELECT timings ->> 'unet' FROM tintype.attempts LIMIT 1") == "0.5")
      #expect(try await bench.value("SELECT ended_by FROM tintype.workers") == "stop")
    }
  }

  @Test func twoWorkersNeverRunAJobTwice() async throws {
    try await withBench { bench in
      let jobs = try await bench.insert(60)
      let handler = ScriptedHandler { job, _ in
        await Task.yield()
        return .pictures(of: job)
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<2 {
          group.addTask {
            try await bench.service(handler) {
              $0.slots = 3
              $0.idleExit = .milliseconds(500)
            }.run()
          }
        }
        try await group.waitForAll()
      }
      #expect(handler.startedJobs.sorted() == jobs)
      #expect(handler.overlaps == [])
      #expect(try await bench.value("SELECT count(*) FROM tintype.jobs WHERE state = 'succeeded'") == 60)
      #expect(try await bench.value("SELECT count(*) FROM tintype.attempts") == 60)
    }
  }

  @Test func aNotificationWakesAWorkerThatWouldPollLater() async throws {
    try await withBench { bench in
      let handler = ScriptedHandler()
      let service = bench.service(handler) {
        $0.pollInterval = .seconds(3600)
        $0.maxJobs = 1
      }
      try await running(service) { _ in
        // It listens, so this insert reaches it by a notification, or by the look that listening begins with.
        try await bench.eventually(
          "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%control%' AND datname = current_database()"
        )
        try await bench.insert()
      }
      #expect(handler.endedCount == 1)
    }
  }

  @Test func aCancelReachesARunningJob() async throws {
    try await withBench { bench in
      let handler = ScriptedHandler.held(by: Gate())
      // The heartbeat of production: the notification makes it quick, the interval would be the bound without.
      let service = bench.service(handler) {
        $0.maxJobs = 1
        $0.heartbeatInterval = .seconds(4)
      }
      let job = try await bench.insert()[0]
      var cancelled = ContinuousClock.now
      try await running(service) { _ in
        _ = await handler.starts.next()
        cancelled = .now
        try await bench.sql("SELECT tintype.cancel(\(job))")
      }
      #expect(ContinuousClock.now - cancelled < .seconds(5))
      #expect(try await bench.state(job) == "cancelled")
      #expect(try await bench.value("SELECT outcome FROM tintype.attempts") == "cancelled")
    }
  }

  @Test func progressIsVisibleWhileAJobRuns() async throws {
    try await withBench { bench in
      let gate = Gate()
      let handler = ScriptedHandler { job, reporter in
        reporter.report(phase: "denoise", step: 2, fraction: 0.5)
        try await gate.pass()
        return .pictures(of: job)
      }
      try await bench.insert()
      try await running(bench.service(handler) { $0.maxJobs = 1 }) { _ in
        try await bench.eventually("SELECT phase = 'denoise' AND step = 2 AND progress = 0.5 FROM tintype.attempts")
        gate.open()
      }
    }
  }

  @Test func aFailureThatMayPassIsTriedAgain() async throws {
    try await withBench { bench in
      try await bench.sql("UPDATE tintype.queues SET retry_base = '10 ms'")
      let job = try await bench.insert()[0]
      let handler = ScriptedHandler { job, _ in
        guard job.attemptNumber > 1 else {
          throw JobError(code: "out_of_disk", message: "the disk is full", isPermanent: false)
        }
        return .pictures(of: job)
      }
      try await bench.service(handler) { $0.maxJobs = 2 }.run()
      #expect(handler.startedJobs == [job, job])
      #expect(try await bench.state(job) == "succeeded")
      #expect(try await bench.value("SELECT error_code FROM tintype.attempts WHERE number = 1") == "out_of_disk")
    }
  }

  @Test func aPermanentFailureIsFinal() async throws {
    try await withBench { bench in
      let job = try await bench.insert()[0]
      let handler = ScriptedHandler { _, _ in
        throw JobError(code: "invalid_request", message: "steps is 0", isPermanent: true)
      }
      try await bench.service(handler) { $0.maxJobs = 1 }.run()
      #expect(try await bench.state(job) == "failed")
      #expect(try await bench.value("SELECT error FROM tintype.jobs") == "steps is 0")
    }
  }

  @Test func anUnknownErrorIsInternalAndMayPass() async throws {
    struct Surprise: Error {}
    try await withBench { bench in
      let job = try await bench.insert()[0]
      try await bench.service(ScriptedHandler { _, _ in throw Surprise() }) { $0.maxJobs = 1 }.run()
      #expect(try await bench.value("SELECT error_code FROM tintype.attempts") == "internal")
      #expect(try await bench.state(job) == "scheduled")
    }
  }

  @Test func anAttemptEndsAtItsTimeout() async throws {
    try await withBench { bench in
      let job = try await bench.insert(columns: "prompt, timeout, max_attempts", values: "'a red boat', '1 second', 1")[
        0]
      let handler = ScriptedHandler.held(by: Gate())
      try await bench.service(handler) { $0.maxJobs = 1 }.run()
      #expect(try await bench.state(job) == "failed")
      #expect(try await bench.value("SELECT error_code FROM tintype.jobs") == "timeout")
    }
  }

  @Test func aResultThatTheDatabaseRefusesIsAFailureAndLeavesNoFiles() async throws {
    try await withBench { bench in
      let job = try await bench.insert(columns: "prompt, image_count, max_attempts", values: "'a red boat', 2, 1")[0]
      // One picture where two were asked for.
      let handler = ScriptedHandler { job, _ in JobResult(images: [JobResult.pictures(of: job).images[0]]) }
      try await bench.service(handler) { $0.maxJobs = 1 }.run()
      #expect(try await bench.state(job) == "failed")
      #expect(try await bench.value("SELECT error_code FROM tintype.jobs") == "outcome_refused")
      #expect(handler.discarded.count == 1)
    }
  }

  @Test func anIdleWorkerEnds() async throws {
    try await withBench { bench in
      let begin = ContinuousClock.now
      try await bench.service(ScriptedHandler()) { $0.idleExit = .milliseconds(300) }.run()
      #expect(ContinuousClock.now - begin >= .milliseconds(300))
    }
  }

  @Test func anUnmigratedDatabaseIsRefused() async throws {
    try await withDatabase { url in
      let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url))
      let bench = WorkerBench(url: url, connection: connection)
      await #expect(throws: MigrationError.self) { try await bench.service(ScriptedHandler()).run() }
      await connection.close()
    }
  }

  @Test func aMissingDatabaseIsNotWaitedFor() async throws {
    try await withBench { bench in
      let nowhere = WorkerBench(
        url: bench.url.replacing(/\/test_\d+\?/, with: "/nowhere?"), connection: bench.connection)
      let error = await #expect(throws: WorkerError.self) { try await nowhere.service(ScriptedHandler()).run() }
      #expect(error?.code == .databaseRefused)
    }
  }

  @Test func aPreparationThatFailsEndsTheWorkerBeforeItsFirstJob() async throws {
    struct NoModel: Error {}
    try await withBench { bench in
      try await bench.insert()
      let handler = ScriptedHandler(prepare: { _ in throw NoModel() })
      let service = bench.service(handler)
      let error = await #expect(throws: WorkerError.self) { try await service.run() }
      #expect(error?.code == .preparationFailed)
      #expect(handler.startedJobs == [])
      #expect(try await bench.value("SELECT ended_by FROM tintype.workers") == "stop")
    }
  }

  @Test func logsTellTheJobAndNeverThePrompt() async throws {
    try await withBench { bench in
      let job = try await bench.insert(columns: "prompt", values: "'secret wish'")[0]
      let log = LineSink()
      try await bench.service(ScriptedHandler(), log: log) { $0.maxJobs = 1 }.run()
      let line = try #require(log.lines.first { $0.contains("job succeeded") })
      #expect(line.contains("job=\(job)") && line.contains("attempt=") && line.contains("timings=\"unet=0.5\""))
      #expect(!log.lines.contains { $0.contains("secret") })
    }
  }

  @Test func systemdHearsOfEachStage() async throws {
    try await withBench { bench in
      try await bench.insert()
      let listener = try DatagramListener()
      let notifier = try #require(
        SystemdNotifier(environment: ["NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "300000"]))
      let isPrepared = Gate()
      let handler = ScriptedHandler(prepare: { _ in isPrepared.open() })
      // Read as they come, as systemd does: a socket's queue holds ten, and what finds no room is not sent.
      let hasEnded = Gate()
      let (heard, hearing) = AsyncStream.makeStream(of: String.self)
      Thread.detachNewThread {
        var message = "", isOver = false
        while !message.hasPrefix("STOPPING=1"), !(message.isEmpty && isOver) {
          isOver = hasEnded.isOpen
          message = listener.receiveText()
          if !message.isEmpty { hearing.yield(message) }
        }
        hearing.finish()
      }
      do {
        defer { hasEnded.open() }
        try await bench.service(handler, notifier: notifier) { $0.maxJobs = 1 }.run()
      }
      #expect(isPrepared.isOpen)
      var messages: [String] = []
      for await message in heard { messages.append(message) }
      #expect(messages.last?.hasPrefix("STOPPING=1") == true, "systemd heard only \(messages)")
      let ready = try #require(messages.firstIndex { $0.hasPrefix("READY=1\nSTATUS=") })
      let extended = try #require(messages.firstIndex { $0.hasPrefix("EXTEND_TIMEOUT_USEC=") })
      #expect(extended < ready)
    }
  }
}
