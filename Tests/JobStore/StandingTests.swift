import JobStore
import Jobs
import Postgres
import Testing

/// Where jobs stand in line: fair shares between tenants, limits on what shares a key, deadlines.
@Suite struct StandingTests {
  // MARK: Tenants

  @Test func tenantsTakeTurnsHoweverMuchOneHasEnqueued() async throws {
    try await withQueue { queue in
      // All at one time, so that the order hangs on nothing else.
      for (tenant, count) in [("big", 200), ("small", 3)] {
        try await queue.sql(
          "INSERT INTO tintype.jobs (prompt, tenant, run_at) SELECT 'x', '\(tenant)', '2020-02-02' FROM generate_series(1, \(count))"
        )
      }
      let single = try await queue.insert("prompt, run_at", "'x', '2020-02-02'")
      let worker = try await queue.worker()
      let first = try await queue.claim(worker, 10).map(\.id)
      #expect(first.filter { (201...203).contains($0) }.count == 3)
      // A job without a tenant takes its turn by time: behind the first of each tenant only.
      #expect(first.firstIndex(of: single).map { $0 <= 2 } == true)
      // Within a tenant the order is that of enqueueing.
      #expect(first.filter { $0 <= 200 } == first.filter { $0 <= 200 }.sorted())
    }
  }

  @Test func aNewcomerJoinsAtThePlaceThatIsBeingServed() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      try await queue.sql("INSERT INTO tintype.jobs (prompt, tenant) SELECT 'x', 'old' FROM generate_series(1, 400)")
      // Two hundred are served in no time, while their places in line are two seconds apart.
      for _ in 0..<4 {
        _ = try await queue.claim(worker, 50)
        try await queue.sql("UPDATE tintype.fairness SET moved_at = '-infinity'")
      }
      _ = try await queue.claim(worker, 1)
      try await queue.sql("INSERT INTO tintype.jobs (prompt, tenant) SELECT 'y', 'new' FROM generate_series(1, 100)")
      // The newcomer has no claim to what the other got while it was away: they share from here on.
      let next = try await queue.claim(worker, 40)
      let new = next.count { $0.prompt == "y" }
      #expect((18...22).contains(new), "\(new) of 40")
      // And nobody who has no tenant waits behind hours of somebody else's places.
      let single = try await queue.insert()
      #expect(try await queue.claim(worker, 3).map(\.id).contains(single))
    }
  }

  @Test func sharesAreOfWorkAndNotOfJobs() async throws {
    try await withQueue { queue in
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, tenant, steps) SELECT 'slow', 'a', 7 FROM generate_series(1, 40)")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, tenant, steps) SELECT 'quick', 'b', 1 FROM generate_series(1, 40)")
      let worker = try await queue.worker()
      let first = try await queue.claim(worker, 25)
      // Seven steps and decoding cost four times one step and decoding.
      #expect((4...6).contains(first.count { $0.prompt == "slow" }))
    }
  }

  @Test func priorityStillCountsWithinAndBetweenTenants() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.jobs (prompt, tenant) SELECT 'x', 't' FROM generate_series(1, 20)")
      let urgent = try await queue.insert("prompt, tenant, priority", "'x', 't', 1")
      let worker = try await queue.worker()
      #expect(try await queue.claimOne(worker).id == urgent)
    }
  }

  @Test func aReleasedJobKeepsItsPlaceAndAnEmptyLineResetsTheClock() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.jobs (prompt, tenant) SELECT 'x', 't' FROM generate_series(1, 5)")
      let worker = try await queue.worker()
      let first = try await queue.claimOne(worker)
      _ = try await queue.finish(first, by: worker, .released)
      #expect(try await queue.claimOne(worker).id == first.id)
      _ = try await queue.claim(worker, 10)
      try await queue.sql("UPDATE tintype.fairness SET ahead = '3 hours'")
      try await queue.store.maintain()
      #expect(try await queue.value("SELECT ahead = '0' FROM tintype.fairness"))
    }
  }

  // MARK: Concurrency keys

  @Test(arguments: [false, true]) func atMostSoManyOfAKeyRunAtOnce(single: Bool) async throws {
    try await withQueue { queue in
      if single {
        try await queue.sql("INSERT INTO tintype.concurrency_limits VALUES ('default', 'k', 2)")
      } else {
        try await queue.sql("UPDATE tintype.queues SET max_running_per_key = 2")
      }
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, concurrency_key) SELECT 'x', 'k' FROM generate_series(1, 12)")
      let other = try await queue.insert("prompt, concurrency_key", "'y', 'other'")
      let plain = try await queue.insert()
      let worker = try await queue.worker()
      let first = try await queue.claim(worker, 10)
      // The others of the key stand aside; who comes behind them does not wait for them.
      #expect(first.map(\.id) == [1, 2, other, plain])
      #expect(
        try await queue.value("SELECT waiting_for FROM tintype.job_status WHERE id = 3")
          == "another job with its concurrency_key to end")
      #expect(try await queue.claim(worker, 10).isEmpty)
      // Each that ends lets exactly one in, in order.
      _ = try await queue.finish(first[0], by: worker, success(first[0]))
      #expect(try await queue.claim(worker, 10).map(\.id) == [3])
    }
  }

  @Test func manyClaimersNeverExceedAKeysLimitAndStrandNothing() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET max_running_per_key = 3")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, concurrency_key) SELECT 'x', 'k' || i % 4 FROM generate_series(1, 160) i")
      let worker = try await queue.worker()
      let most = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<8 {
          let store = queue.newStore()
          group.addTask {
            var most = 0
            while try await queue.value("SELECT count(*) FROM tintype.jobs WHERE finished_at IS NULL") > 0 {
              let jobs = try await store.claim(worker: worker, queues: ["default"], models: ["m"], limit: 2)
              let running: Int = try await queue.value(
                "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM tintype.jobs WHERE state = 'running' GROUP BY concurrency_key) r"
              )
              most = max(most, running)
              for job in jobs {
                try await store.finish(worker: worker, attempt: job.attemptID, job: job.id, outcome: success(job))
              }
              if jobs.isEmpty { try await store.maintain() }
            }
            return most
          }
        }
        return try await group.reduce(0, max)
      }
      #expect(most <= 3)
      #expect(try await queue.value("SELECT count(*) FROM tintype.jobs WHERE state = 'succeeded'") == 160)
    }
  }

  @Test func maintenanceLetsInWhatNobodyElseDoes() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET max_running_per_key = 1")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, concurrency_key) SELECT 'x', 'k' FROM generate_series(1, 5)")
      let worker = try await queue.worker()
      let running = try await queue.claimOne(worker)
      #expect(try await queue.claim(worker, 5).isEmpty)
      #expect(try await queue.store.maintain().admitted == 0)
      try await queue.sql("UPDATE tintype.queues SET max_running_per_key = 3")
      #expect(try await queue.store.maintain().admitted == 2)
      #expect(try await queue.claim(worker, 5).map(\.id) == [2, 3])
      // One that was let in is cancelled before it is claimed: its room goes to the next.
      _ = try await queue.finish(running, by: worker, success(running))
      try await queue.store.cancel(job: 4)
      #expect(try await queue.claim(worker, 5).isEmpty)
      #expect(try await queue.store.maintain().admitted == 1)
      #expect(try await queue.claim(worker, 5).map(\.id) == [5])
    }
  }

  @Test func aRequestWithAnotherKeyIsJudgedAnew() async throws {
    try await withQueue { queue in
      try await queue.sql("UPDATE tintype.queues SET max_running_per_key = 1")
      try await queue.sql(
        "INSERT INTO tintype.jobs (prompt, concurrency_key) SELECT 'x', 'k' FROM generate_series(1, 3)")
      let worker = try await queue.worker()
      #expect(try await queue.claim(worker, 3).map(\.id) == [1])
      try await queue.sql("UPDATE tintype.jobs SET concurrency_key = NULL WHERE id = 3")
      #expect(try await queue.claim(worker, 3).map(\.id) == [3])
    }
  }

  // MARK: Deadlines

  @Test func aJobThatWaitsBeyondItsDeadlineFails() async throws {
    try await withQueue { queue in
      let id = try await queue.insert("prompt, deadline", "'x', now() + interval '1 hour'")
      let child = try await queue.insert("prompt, init_job", "'y', \(id)")
      let later = try await queue.insert(
        "prompt, run_at, deadline", "'x', now() + interval '1 hour', now() + interval '2 hours'")
      #expect(try await queue.store.maintain().expired == 0)
      try await queue.skip(
        "UPDATE tintype.jobs SET run_at = now() - interval '2 hours', deadline = now() - interval '1 s' WHERE deadline IS NOT NULL"
      )
      let worker = try await queue.worker()
      #expect(try await queue.claim(worker).isEmpty)
      let report = try await queue.store.maintain()
      #expect(report.expired == 2)
      for job in [id, later] {
        #expect(try await queue.state(job) == .failed)
        #expect(try await queue.error(job)?.hasPrefix("not finished by its deadline, 20") == true)
      }
      #expect(try await queue.state(child) == .failed)
      #expect(try await queue.value("SELECT reason FROM tintype.dead_letters WHERE id = \(id)") == "deadline")
      // Whoever brings it back wants it although it is late.
      #expect(try await queue.store.retry(job: id) == .ready)
      #expect(try await queue.store.maintain().expired == 0)
      #expect(try await queue.claim(worker).map(\.id) == [id])
    }
  }

  @Test func anAttemptRunsNoLongerThanToTheDeadline() async throws {
    try await withQueue { queue in
      try await queue.insert("prompt, deadline, timeout", "'x', now() + interval '60 seconds', '1 hour'")
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      #expect(job.timeout.map { (50...60).contains($0) } == true)
      #expect(
        try await queue.value("SELECT a.deadline = j.deadline FROM tintype.attempts a JOIN tintype.jobs j ON true"))
    }
  }

  @Test(arguments: [
    ("tenant", "''", "1 to 200 characters, or null; got 0 characters"),
    ("tenant", "repeat('ü', 201)", "1 to 200 characters, or null; got 201 characters"),
    ("concurrency_key", "''", "1 to 200 characters, or null; got 0 characters"),
    ("deadline", "now() - interval '1 s'", "a time after run_at, or null for none; got "),
  ]) func refusalsNameTheColumn(column: String, value: String, legal: String) async throws {
    try await withQueue { queue in
      let error = try await refusal { try await queue.insert("prompt, \(column)", "'x', \(value)") }
      #expect(error.column == column && error.sqlState == "23514")
      #expect(error.message.hasPrefix("\(column) must be \(legal)"))
      let claimed = try await queue.insert()
      _ = try await queue.claim(queue.worker())
      let late = try await refusal {
        let legal = column == "deadline" ? "now() + interval '1 day'" : "'other'"
        try await queue.sql("UPDATE tintype.jobs SET \(column) = \(legal) WHERE id = \(claimed)")
      }
      #expect(late.sqlState == "55000")
    }
  }
}
