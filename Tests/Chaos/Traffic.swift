import Postgres
import Synchronization

/// People who want pictures, and change their minds. Everything that they were told is written down, for the books.
final class Traffic: Sendable {
  struct Ledger: Sendable {
    /// Jobs whose id came back, by idempotency key.
    var accepted: [String: Int64] = [:]
    /// Jobs that somebody tried to cancel, or to bring back; whether it was heard is for the database to say.
    var cancelled: Set<Int64> = []
    var retried: Set<Int64> = []
    /// Two different ids for one key.
    var contradictions: [String] = []
  }

  private let ledger = Mutex(Ledger())
  private let session: PostgresSession

  /// - Parameter database: reached past the faults of the network; the server itself still goes away.
  init(database: PostgresConfiguration) { session = PostgresSession(database) }

  var record: Ledger { ledger.withLock { $0 } }

  /// Enqueues until the deadline, then returns.
  func run(until deadline: ContinuousClock.Instant, seed: UInt64, perSecond rate: Double) async {
    var random = SeededGenerator(seed: seed &+ 1)
    var number = 0
    while ContinuousClock.now < deadline {
      number += 1
      await act(number, &random)
      try? await Task.sleep(for: .seconds(random.seconds(0.2...1.8) / rate))
    }
  }

  func close() async { await session.close() }

  private func act(_ number: Int, _ random: inout SeededGenerator) async {
    let known = record.accepted.values.sorted()
    switch (known.isEmpty, Int.random(in: 0..<20, using: &random)) {
    case (false, 0): await cancel(random.pick(Array(known.suffix(8))))
    case (false, 1): if let job = record.cancelled.sorted().last { await retry(job) }
    case (false, 2): await enqueue("k\(number)", random, from: random.pick(Array(known.suffix(8))))
    case _: await enqueue("k\(number)", random, from: nil)
    }
  }

  /// With an idempotency key, which is what makes it safe to ask again after a lost answer; sometimes just so.
  private func enqueue(_ key: String, _ generator: SeededGenerator, from parent: Int64?) async {
    var random = generator
    let columns = """
      SELECT tintype.enqueue(prompt => 'a lake at dawn', width => 64, height => 64, steps => \(random.pick([1, 2, 4, 12, 30])),
        image_count => \(random.pick([1, 1, 2, 5])), seed => \(Int.random(in: 0..<1000, using: &random)),
        priority => \(Int.random(in: -2...2, using: &random)),
        run_at => \(random.oneIn(6) ? "date_trunc('second', now()) + interval '2 s'" : "NULL"),
        timeout => \(random.oneIn(10) ? "'20 s'" : "NULL"),
        init_job => \(parent.map(String.init) ?? "NULL"), idempotency_key => '\(key)') AS id
      """
    for _ in 0..<(random.oneIn(8) ? 2 : 1) {
      guard let id = await ask(columns) else { continue }
      ledger.withLock { ledger in
        if let first = ledger.accepted[key], first != id { ledger.contradictions.append("\(key): \(first) and \(id)") }
        ledger.accepted[key] = id
      }
    }
  }

  private func cancel(_ job: Int64) async {
    ledger.withLock { _ = $0.cancelled.insert(job) }
    _ = await ask("SELECT 0::bigint AS id FROM tintype.cancel(\(job))")
  }

  private func retry(_ job: Int64) async {
    ledger.withLock { _ = $0.retried.insert(job) }
    _ = await ask("SELECT 0::bigint AS id FROM tintype.retry(\(job))")
  }

  /// Nil when it was refused, or nobody answered for too long.
  private func ask(_ sql: String) async -> Int64? {
    do {
      return try await session.withRetries(attempts: 20) { try await $0.query(sql) }.rows.first?.decode("id")
    } catch {
      return nil
    }
  }
}
