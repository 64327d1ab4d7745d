import JobStore
import Jobs
import Postgres
import Testing

/// Of many workers that ask for maintenance, one does it.
@Suite struct MaintenanceTurnTests {
  @Test func whoComesRightAfterAnotherHasNothingToDo() async throws {
    try await withQueue { queue in
      let worker = try await queue.worker()
      #expect(try await queue.store.maintain().ran)
      try await queue.expire(worker)
      let report = try await queue.store.maintain(unlessWithin: .seconds(60))
      #expect(!report.ran && report.workersLost == 0)
      try await queue.sql(
        "UPDATE tintype.maintenance SET last_run_at = now() - interval '61 seconds', grace_until = now()")
      // So long ago that it counts as an outage: everyone gets a lease's time first.
      #expect(try await queue.store.maintain(unlessWithin: .seconds(60)).grace)
      let lost = try await queue.connection.transaction { connection in
        // The time of the transaction for both: on a slow machine five seconds would become an outage's fifteen.
        try await connection.query(
          "UPDATE tintype.maintenance SET last_run_at = now() - interval '5 seconds', grace_until = now()")
        return try await connection.query("SELECT workers_lost FROM tintype.maintain('4 seconds')").rows[0].decode(
          "workers_lost", Int.self)
      }
      #expect(lost == 1)
    }
  }

  /// What programs before this one send: a second is what they get.
  @Test(arguments: [("0.9 seconds", false), ("1.1 seconds", true)])
  func withoutSayingItIsASecond(ago: String, ran: Bool) async throws {
    try await withQueue { queue in
      let didRun = try await queue.connection.transaction { connection in
        // The time of the transaction for both, however slow the machine.
        try await connection.query("UPDATE tintype.maintenance SET last_run_at = now() - '\(ago)'::interval")
        return try await connection.query("SELECT ran FROM tintype.maintain()").rows[0].decode("ran", Bool.self)
      }
      #expect(didRun == ran)
    }
  }

  @Test func aJobWhoseTimeHasComeDoesNotWaitForThat() async throws {
    try await withQueue { queue in
      let id = try await queue.insert("prompt, run_at", "'x', now() + interval '1 hour'")
      #expect(try await queue.store.maintain().ran)
      // Who finds nothing to do hears as well when it is worth while to come back.
      let report = try await queue.store.maintain(unlessWithin: .seconds(60))
      #expect(!report.ran && report.nextDue.map { $0 > .seconds(3500) && $0 < .seconds(3601) } == true)
      try await queue.skip("UPDATE tintype.jobs SET run_at = now()")
      #expect(try await queue.store.maintain(unlessWithin: .seconds(60)).promoted == 1)
      #expect(try await queue.state(id) == .ready)
    }
  }
}
