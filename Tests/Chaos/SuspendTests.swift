import Foundation
import Postgres
import TestSupport
import Testing

/// Which clock a worker's lease is counted by. No test can put a machine to sleep; this one shows a real worker what a
/// process sees that was asleep: CLOCK_BOOTTIME has gone on, CLOCK_MONOTONIC has not.
@Suite struct SuspendTests {
  private static let lease = 60.0
  /// More than the worker relies on, four fifths of the lease.
  private static let slept = 55.0

  /// A lease that followed the time of day would be over at the first step or last a day longer after the second; one whose
  /// clock stops with the machine would have three quarters of a minute left.
  @Test(.timeLimit(.minutes(3))) func aLeaseEndsDuringASuspendAndNoStepOfTheTimeOfDayEndsIt() async throws {
    let site = try await ChaosSite(workers: 1, lease: Self.lease)
    async let workers: Void = site.run()
    do {
      try await check(site)
      site.close()
      await workers
      await site.takeDown()
    } catch {
      await site.takeDown()
      await workers
      throw error
    }
  }

  private func check(_ site: ChaosSite) async throws {
    let place = site.places[0]
    let connection = try await PostgresConnection.connect(site.administrator)
    func leases() async throws -> [String] {
      try await connection.query("SELECT pid || ' until ' || lease_until AS lease FROM tintype.workers ORDER BY id")
        .rows
        .map { try $0.decode("lease") }
    }
    try await wait(atMost: .seconds(60)) { try await leases().count == 1 }
    for step in [86_400.0, -86_400] {
      place.page.setClock(offBy: step)
      // The first may have been under way.
      for _ in 0..<2 {
        let before = try await leases()
        try await wait(atMost: .seconds(30)) { try await leases() != before }
      }
    }
    let worker = try #require(place.worker)
    func lossOfTheLease() -> WorkerProcess.Line? { worker.now.lines.first { $0.message.hasPrefix("lease lost") } }
    #expect(lossOfTheLease() == nil)
    #expect(try await leases().count == 1)

    // Nobody answers any more: what the worker believes now, it believes by its clock.
    place.proxy.hold()
    let asleep = ContinuousClock.now
    place.page.setSlept(Self.slept)
    try await wait(atMost: .seconds(30)) { lossOfTheLease() != nil }
    let loss = try #require(lossOfTheLease())
    #expect(loss.at - asleep < .seconds(30))
    place.proxy.release()
    try await wait(atMost: .seconds(30)) { try await leases().count == 2 }
    #expect(
      try await leases().allSatisfy { $0.hasPrefix("\(worker.processIdentifier) until ") }, "the same process, anew")
    await connection.close()
  }

  private func wait(atMost limit: Duration, until isTrue: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isTrue() {
      guard ContinuousClock.now < deadline else { throw Complaint("nothing came in \(limit)") }
      try await Task.sleep(for: .milliseconds(100))
    }
  }
}
