import JobStore
import Jobs
import Postgres
import Testing

/// Jobs that start from another job's picture.
@Suite struct InitJobTests {
  @Test func waitsForThePictureAndGetsIt() async throws {
    try await withQueue { queue in
      let parent = try await queue.insert()
      let child = try await queue.insert("prompt, init_job", "'y', \(parent)")
      let late = try await queue.insert("prompt, init_job, run_at", "'z', \(parent), now() + interval '1 hour'")
      #expect(try await queue.state(child) == .blocked)
      #expect(try await queue.state(late) == .blocked)
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      #expect(try await queue.claim(worker).isEmpty)
      _ = try await queue.finish(job, by: worker, success(job))
      #expect(try await queue.state(late) == .scheduled)
      let next = try await queue.claimOne(worker)
      #expect(next.id == child && next.steps == 2 && next.strength == 0.5)
      #expect(
        next.initImage
          == .artifact(path: "out/\(parent)/\(job.attemptID)-0.png", sha256: Array(repeating: 0xA5, count: 32)))
    }
  }

  @Test func isReadyAtOnceWhenThePictureExists() async throws {
    try await withQueue { queue in
      let parent = try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      _ = try await queue.finish(job, by: worker, success(job))
      #expect(try await queue.state(try await queue.insert("prompt, init_job", "'y', \(parent)")) == .ready)
    }
  }

  @Test(arguments: [false, true]) func failsDownTheWholeLine(cancelled: Bool) async throws {
    try await withQueue { queue in
      var line = [try await queue.insert()]
      for _ in 0..<300 { line.append(try await queue.insert("prompt, init_job", "'y', \(line.last ?? 0)")) }
      if cancelled {
        #expect(try await queue.store.cancel(job: line[0]) == .cancelled)
      } else {
        let worker = try await queue.worker()
        let job = try await queue.claimOne(worker)
        _ = try await queue.finish(job, by: worker, failure(isPermanent: true))
      }
      #expect(
        try await queue.value("SELECT count(*) FROM tintype.jobs WHERE state = 'failed'") == (cancelled ? 300 : 301))
      #expect(
        try await queue.error(line[2])
          == "init_job \(line[1]) has made no picture: job \(line[0]) \(cancelled ? "was cancelled" : "failed"); retry that one first, then this"
      )
      // Back again from the front.
      let error = try await refusal { try await queue.store.retry(job: line[1]) }
      #expect(error.message.hasSuffix("retry that one first"))
      #expect(try await queue.store.retry(job: line[0]) == .ready)
      #expect(try await queue.store.retry(job: line[1]) == .blocked)
      #expect(try await queue.store.retry(job: line[2]) == .blocked)
    }
  }

  @Test func aDeadEndIsRefusedAtOnce() async throws {
    try await withQueue { queue in
      let parent = try await queue.insert()
      try await queue.store.cancel(job: parent)
      let error = try await refusal { try await queue.insert("prompt, init_job", "'y', \(parent)") }
      #expect(
        error.message
          == "init_job must be a job that has made a picture or still may; got \(parent), which is cancelled")
    }
  }

  @Test func noCircle() async throws {
    try await withQueue { queue in
      let first = try await queue.insert()
      let second = try await queue.insert("prompt, init_job", "'y', \(first)")
      for target in [first, second] {
        let error = try await refusal {
          try await queue.sql("UPDATE tintype.jobs SET init_job = \(target), strength = null WHERE id = \(first)")
        }
        #expect(error.column == "init_job")
      }
    }
  }

  /// The earlier job succeeds while the later one is inserted in a transaction that neither sees.
  @Test(arguments: [true, false]) func isNotForgottenWhenBothHappenAtOnce(succeeds: Bool) async throws {
    try await withQueue { queue in
      let parent = try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      let child = try await queue.connection.transaction { connection -> Int64 in
        let row = try await connection.query(
          "INSERT INTO tintype.jobs (prompt, init_job) VALUES ('y', \(parent)) RETURNING id, state"
        ).rows[0]
        #expect(try row.decode("state") == JobState.blocked)
        // Not held up by the open transaction.
        let reply = try await queue.finish(job, by: worker, succeeds ? success(job) : failure(isPermanent: true))
        #expect(reply == .applied(succeeds ? .succeeded : .failed))
        return try row.decode("id")
      }
      #expect(try await queue.state(child) == (succeeds ? .ready : .failed))
    }
  }

  @Test func theEarlierJobStaysUntilTheLaterHasEnded() async throws {
    try await withQueue { queue in
      let parent = try await queue.insert()
      let child = try await queue.insert("prompt, init_job", "'y', \(parent)")
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      _ = try await queue.finish(job, by: worker, success(job))
      try await queue.sql("UPDATE tintype.queues SET retention = '0'")
      #expect(try await queue.store.maintain().pruned == 0)
      _ = try await refusal { try await queue.sql("DELETE FROM tintype.jobs WHERE id = \(parent)") }
      let next = try await queue.claimOne(worker)
      _ = try await refusal { try await queue.sql("DELETE FROM tintype.jobs WHERE id = \(parent)") }
      _ = try await queue.finish(next, by: worker, success(next))
      try await queue.sql("DELETE FROM tintype.jobs WHERE id = \(parent)")
      #expect(try await queue.value("SELECT init_job IS NULL FROM tintype.jobs WHERE id = \(child)"))
    }
  }

  @Test func aPictureThatSomeoneDeletedIsAPermanentError() async throws {
    try await withQueue { queue in
      let parent = try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      _ = try await queue.finish(job, by: worker, success(job))
      let child = try await queue.insert("prompt, init_job", "'y', \(parent)")
      try await queue.sql("DELETE FROM tintype.images")
      #expect(try await queue.claim(worker).isEmpty)
      #expect(try await queue.error(child) == "init_job \(parent) has no picture in tintype.images any more")
    }
  }
}
