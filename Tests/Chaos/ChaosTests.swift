import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// Real workers, a real database, and everything that can go wrong, chosen by a seed. Afterwards the books must balance: no
/// job lost, none run by two at once, every picture where its row says.
///
/// Short in every test run; `make chaos` for a long one. TINTYPE_CHAOS_SECONDS, TINTYPE_CHAOS_SEED and
/// TINTYPE_CHAOS_WORKERS set what they say. The seed decides which faults come in which order; when each strikes is the
/// machine's business, so a seed repeats a run's faults and not its every step.
@Suite struct ChaosTests {
  @Test func theBooksBalanceWhateverGoesWrong() async throws {
    let environment = ProcessInfo.processInfo.environment
    let seconds = environment["TINTYPE_CHAOS_SECONDS"].flatMap(Double.init) ?? 40
    let seed = environment["TINTYPE_CHAOS_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0..<1_000_000)
    let workers = environment["TINTYPE_CHAOS_WORKERS"].flatMap(Int.init) ?? 3
    print("chaos: seed \(seed), \(seconds) s, \(workers) workers")
    let run = try await ChaosRun.perform(seed: seed, seconds: seconds, workers: workers)
    print(run.report)
    #expect(run.violations.isEmpty, "seed \(seed): \(run.violations.joined(separator: "\n"))")
    // A run in which nothing happened proves nothing.
    #expect(run.faults.values.reduce(0, +) > Int(seconds / 4), "\(run.faults)")
    #expect(run.succeeded > Int(seconds / 4), "\(run.report)")
  }
}

/// What a run came to.
struct ChaosRun: Sendable {
  var seed: UInt64
  var faults: [String: Int] = [:]
  var missed = 0
  var outcomes: [String] = []
  var succeeded = 0
  var longestReaction = Duration.zero
  var violations: [String] = []

  var report: String {
    let kinds = faults.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    return """
      chaos: seed \(seed)
        \(outcomes.joined(separator: "\n  "))
        faults: \(faults.values.reduce(0, +)) (\(kinds)); \(missed) found nobody to strike
        a stopped process noticed that its job was gone within \(longestReaction)
        violations: \(violations.count)\(violations.map { "\n    " + $0 }.joined())
      """
  }

  /// Runs it all on a site of its own, which is gone afterwards.
  static func perform(seed: UInt64, seconds: Double, workers: Int) async throws -> ChaosRun {
    let site = try await ChaosSite(workers: workers)
    do {
      let run = try await perform(seed: seed, seconds: seconds, on: site)
      await site.takeDown()
      return run
    } catch {
      await site.takeDown()
      throw error
    }
  }

  private static func perform(seed: UInt64, seconds: Double, on site: ChaosSite) async throws -> ChaosRun {
    let traffic = Traffic(database: site.administrator)
    let tally = Tally()
    async let workers: Void = site.run()
    let isQuiet = await drive(site, traffic, tally, seed: seed, until: .now + .seconds(seconds))
    site.close()
    await workers
    var run = ChaosRun(seed: seed)
    (run.faults, run.missed) = tally.counts
    try await run.balance(site, traffic.record)
    await traffic.close()
    if !isQuiet { run.violations.insert("the queue did not come to rest", at: 0) }
    return run
  }

  /// Orders and faults until the deadline, then peace.
  ///
  /// - Returns: whether every job ended.
  private static func drive(
    _ site: ChaosSite, _ traffic: Traffic, _ tally: Tally, seed: UInt64, until deadline: ContinuousClock.Instant
  ) async -> Bool {
    async let orders: Void = traffic.run(until: deadline, seed: seed, perSecond: Double(site.places.count) * 0.8)
    await strike(site, tally, seed: seed, until: deadline)
    await orders
    return await settle(site)
  }

  /// One fault after another, each in a task of its own, since some last; returns when all are over.
  private static func strike(
    _ site: ChaosSite, _ tally: Tally, seed: UInt64, until deadline: ContinuousClock.Instant
  ) async {
    let injector = FaultInjector(site: site)
    let isTalkative = ProcessInfo.processInfo.environment["TINTYPE_CHAOS_TRACE"] != nil
    await withDiscardingTaskGroup { group in
      var random = SeededGenerator(seed: seed)
      while ContinuousClock.now < deadline {
        let fault = Fault.next(&random, lease: ChaosSite.leaseSeconds)
        let place = Int.random(in: 0..<site.places.count, using: &random)
        let tail = random.next()
        let pause = random.seconds(0.1...1.4)
        group.addTask {
          let isDone = await injector.inject(fault, at: place, tail: tail)
          if isTalkative { print("chaos: \(isDone ? "" : "missed: ")\(fault) at \(place)") }
          tally.count(fault, isDone)
        }
        try? await Task.sleep(for: .seconds(pause))
      }
    }
  }

  /// Nothing goes wrong any more; waits until every job has ended, for as long as now and then one does: how fast that goes is the
  /// machine's business.
  private static func settle(_ site: ChaosSite) async -> Bool {
    site.databasePage.setClock(offBy: 0)
    for place in site.places {
      place.page.setClock(offBy: 0)
      place.proxy.release()
    }
    let session = PostgresSession(site.administrator)
    var open = Int.max
    var deadline = ContinuousClock.now + .seconds(120)
    while open > 0, ContinuousClock.now < deadline {
      let answer = try? await session.withRetries {
        try await $0.query("SELECT count(*) AS open FROM tintype.jobs WHERE finished_at IS NULL")
      }
      if let now = try? answer?.rows.first?.decode("open", Int.self), now < open {
        open = now
        deadline = .now + .seconds(120)
      }
      try? await Task.sleep(for: .milliseconds(200))
    }
    await session.close()
    return open == 0
  }

  private mutating func balance(_ site: ChaosSite, _ ledger: Traffic.Ledger) async throws {
    let connection = try await PostgresConnection.connect(site.administrator)
    var files = try await FileBooks(connection, output: site.output)
    let leftovers = files.leftovers
    try await site.keepHouse {
      files = try await FileBooks(connection, output: site.output)
      // A worker that was killed at the very end is declared lost when the grace is over that the hour's gap looks to deserve.
      let living = try await connection.query(
        "SELECT FROM tintype.workers WHERE ended_at IS NULL AND name <> 'housekeeper'")
      return files.leftovers.isEmpty && living.rows.isEmpty
    }
    violations += files.violations + files.leftovers.map { "housekeeping has left \($0)" }
    violations += try await Books.violations(connection, ledger)
    let processes = ProcessBooks(site.allWorkers)
    violations += processes.violations
    longestReaction = processes.longestReaction
    for (name, table, column) in [("jobs", "jobs", "state"), ("attempts", "attempts", "outcome")] {
      let rows = try await connection.query(
        "SELECT coalesce(\(column), 'open') AS name, count(*) AS n FROM tintype.\(table) GROUP BY 1 ORDER BY 1")
      let counts = try rows.rows.map { (try $0.decode("name", String.self), try $0.decode("n", Int.self)) }
      outcomes.append(
        "\(name): \(counts.map(\.1).reduce(0, +)) (\(counts.map { "\($0) \($1)" }.joined(separator: ", ")))")
      if name == "jobs" { succeeded = counts.first { $0.0 == "succeeded" }?.1 ?? 0 }
    }
    outcomes.append("worker processes: \(site.allWorkers.count); files left to housekeeping: \(leftovers.count)")
    await connection.close()
  }
}

/// Which faults there were.
private final class Tally: Sendable {
  private let state = Mutex<(faults: [String: Int], missed: Int)>(([:], 0))

  var counts: (faults: [String: Int], missed: Int) { state.withLock { $0 } }

  func count(_ fault: Fault, _ isDone: Bool) {
    state.withLock { state in
      if isDone { state.faults[fault.kind, default: 0] += 1 } else { state.missed += 1 }
    }
  }
}
