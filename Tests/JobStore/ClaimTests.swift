import JobStore
import Jobs
import Postgres
import Testing

@Suite struct ClaimTests {
  @Test func everyColumnArrives() async throws {
    try await withQueue { queue in
      var request = JobRequest(prompt: "a red boat")
      (request.negativePrompt, request.model, request.width, request.height) = ("blur", "m", 520, 512)
      (request.steps, request.guidanceScale, request.strength, request.seed) = (4, 1.5, 0.25, -7)
      (request.imageCount, request.maxAttempts, request.timeout, request.metadata) = (2, 5, 90, #"{"a": 1}"#)
      request.initImageData = RequestRulesTests.png
      let id = try await queue.store.enqueue(request)
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      #expect(
        job
          == Job(
            id: id, attemptID: job.attemptID, attemptNumber: 1, maxAttempts: 5, queue: "default", model: "m",
            prompt: "a red boat", negativePrompt: "blur", width: 520, height: 512, steps: 4, guidanceScale: 1.5,
            strength: 0.25, seed: -7, imageCount: 2, initImage: .data(RequestRulesTests.png), timeout: 90,
            metadata: #"{"a": 1}"#))
      #expect(try await queue.state(id) == .running)
      let details = try #require(try await queue.store.show(job: id))
      #expect(details.job.attemptID == job.attemptID && details.job.startedAt != nil)
      #expect(details.attempts.map(\.id) == [job.attemptID] && details.attempts.first?.outcome == nil)
    }
  }

  @Test func urgentFirstThenByAge() async throws {
    try await withQueue { queue in
      let plain = try await queue.insert()
      let urgent = try await queue.insert("prompt, priority", "'x', 1")
      let later = try await queue.insert("prompt, priority", "'x', -1")
      let next = try await queue.insert()
      let worker = try await queue.worker()
      #expect(try await queue.claim(worker, 10).map(\.id) == [urgent, plain, next, later])
    }
  }

  @Test func tenMinutesOfWaitingAreWorthAPoint() async throws {
    try await withQueue { queue in
      let patient = try await queue.insert("prompt, run_at", "'x', now() - interval '10 minutes 1 second'")
      let urgent = try await queue.insert("prompt, priority", "'x', 1")
      let impatient = try await queue.insert("prompt, run_at", "'x', now() - interval '9 minutes 59 seconds'")
      let worker = try await queue.worker()
      #expect(try await queue.claim(worker, 10).map(\.id) == [patient, urgent, impatient])
    }
  }

  @Test func onlyItsQueuesAndModels() async throws {
    try await withQueue { queue in
      let store = queue.store
      let worker = try await queue.worker(queues: ["default", "burst"])
      try await queue.worker(queues: ["other"])
      try await queue.insert("prompt, queue", "'x', 'other'")
      try await queue.insert("prompt, model", "'x', 'unknown'")
      let anyModel = try await queue.insert("prompt, queue", "'x', 'burst'")
      let known = try await queue.insert("prompt, model", "'x', 'm'")
      let jobs = try await store.claim(worker: worker, queues: ["default", "burst"], models: ["m", "n"], limit: 10)
      #expect(jobs.map(\.id) == [anyModel, known])
      #expect(try await store.claim(worker: worker, queues: [], models: [], limit: 10).isEmpty)
    }
  }

  @Test func neverMoreThanAsked() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 10)")
      let worker = try await queue.worker()
      #expect(try await queue.claim(worker, 0).isEmpty)
      #expect(try await queue.claim(worker, 3).count == 3)
      #expect(try await queue.value("SELECT count(*) FROM tintype.jobs WHERE state = 'running'") == 3)
      #expect(try await queue.claim(worker, 100).count == 7)
    }
  }

  @Test func notBeforeItsTime() async throws {
    try await withQueue { queue in
      let id = try await queue.insert("prompt, run_at", "'x', now() + interval '1 hour'")
      let worker = try await queue.worker()
      #expect(try await queue.state(id) == .scheduled)
      #expect(try await queue.store.maintain().promoted == 0)
      #expect(try await queue.claim(worker).isEmpty)
      // The hour passes, without the trigger noticing.
      try await queue.sql("SET session_replication_role = replica")
      try await queue.sql("UPDATE tintype.jobs SET run_at = now()")
      try await queue.sql("SET session_replication_role = origin")
      #expect(try await queue.store.maintain().promoted == 1)
      #expect(try await queue.claim(worker).map(\.id) == [id])
    }
  }

  @Test func aPausedQueueGivesNothing() async throws {
    try await withQueue { queue in
      try await queue.insert()
      let worker = try await queue.worker()
      try await queue.store.pause(queue: "default", reason: "the disk is being changed")
      let status = try #require(try await queue.store.queueStatus().first)
      #expect(status.isPaused && status.pausedBy == "postgres" && status.pauseReason == "the disk is being changed")
      #expect(try await queue.claim(worker).isEmpty)
      try await queue.store.resume(queue: "default")
      #expect(try await queue.claim(worker).count == 1)
      let error = try await refusal { try await queue.store.pause(queue: "nowhere", reason: nil) }
      #expect(error.message == "queue must be one of the queues that exist (default); got nowhere")
    }
  }

  @Test func atMostMaxRunning() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET max_running = 3")
      try await queue.sql("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 20)")
      let stores = (0..<6).map { _ in queue.newStore() }
      let worker = try await queue.worker()
      let claimed = try await withThrowingTaskGroup(of: [Job].self) { group in
        for store in stores {
          group.addTask { try await store.claim(worker: worker, queues: ["default"], models: ["m"], limit: 2) }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(claimed.count == 3)
      let first = try #require(claimed.first)
      _ = try await queue.finish(first, by: worker, success(first))
      #expect(try await queue.claim(worker, 5).count == 1)
    }
  }

  @Test func noJobIsClaimedTwiceAndNoneIsLeft() async throws {
    try await withQueue { queue in
      let count = 400
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, priority, model) SELECT 'x', i % 3, CASE WHEN i % 2 = 0 THEN 'm' END FROM generate_series(1, \(count)) i"
      )
      let worker = try await queue.worker()
      let claimed = try await withThrowingTaskGroup(of: [Job].self) { group in
        for claimer in 0..<12 {
          let store = queue.newStore()
          group.addTask {
            var mine: [Job] = []
            while true {
              let jobs = try await store.claim(
                worker: worker, queues: ["default"], models: ["m"], limit: 1 + claimer % 4)
              mine += jobs
              for job in jobs {
                let reply = try await store.finish(
                  worker: worker, attempt: job.attemptID, job: job.id, outcome: success(job))
                guard reply == .applied(.succeeded) else { throw PostgresError(.misuse, "\(reply)") }
              }
              // Nothing to claim may also mean that others hold the rest for the moment; they will finish it.
              if jobs.isEmpty { return mine }
            }
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(claimed.count == count)
      #expect(Set(claimed.map(\.id)).count == count)
      #expect(Set(claimed.map(\.attemptID)).count == count)
      #expect(try await queue.value("SELECT count(*) FROM tintype.jobs WHERE state = 'succeeded'") == count)
      #expect(try await queue.value("SELECT count(*) FROM tintype.images") == count)
    }
  }

  @Test func oneNotificationPerStatementAndQueue() async throws {
    try await withQueue { queue in
      try await queue.worker(queues: ["burst"])
      let listener = try await PostgresConnection.connect(PostgresConfiguration(url: queue.url))
      try await listener.listen(JobStore.readyChannel)
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, queue) SELECT 'x', CASE WHEN i % 2 = 0 THEN 'burst' ELSE 'default' END FROM generate_series(1, 9) i"
      )
      try await queue.insert("prompt, run_at", "'x', now() + interval '1 hour'")
      try await queue.sql("SELECT pg_notify('\(JobStore.readyChannel)', 'end')")
      var heard: [String] = []
      for await notification in listener.notifications {
        if notification.payload == "end" { break }
        heard.append(notification.payload)
      }
      #expect(heard.sorted() == ["burst", "default"])
      await listener.close()
    }
  }
}
