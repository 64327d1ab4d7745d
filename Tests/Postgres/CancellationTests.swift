import Postgres
import TestSupport
import Testing

@Suite struct CancellationTests {
  /// Waits until the server runs a statement with `marker` in it.
  private func waitUntilRunning(_ marker: String) async throws {
    let watcher = try await connectShared()
    try await eventually {
      try await watcher.query(
        "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()",
        [.text("%\(marker)%")]
      ).rows.count == 1
    }
  }

  @Test func aCancelledStatementStopsOnTheServerAndTheConnectionIsReused() async throws {
    let connection = try await connectShared()
    for round in 0..<5 {
      let marker = "cancel_\(round)_\(UInt32.random(in: 0 ..< .max))"
      let task = Task { try await connection.query("SELECT pg_sleep(60) /* \(marker) */") }
      try await waitUntilRunning(marker)
      let start = ContinuousClock.now
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      // A sixtieth of what it would have taken: the server was told, nobody waited for it to finish.
      #expect(ContinuousClock.now - start < .seconds(1))
      #expect(connection.isOpen)
      #expect(try await connection.query("SELECT \(round) AS n").rows[0].decode("n", Int.self) == round)
    }
  }

  @Test func aCancelledTaskSendsNothing() async throws {
    let connection = try await connectShared()
    try await connection.execute("CREATE TEMPORARY TABLE t (n int)")
    let (never, _) = AsyncStream.makeStream(of: Void.self)
    let task = Task {
      for await _ in never {}  // Ends when the task is cancelled.
      return try await connection.query("INSERT INTO t VALUES (1)")
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try await connection.query("SELECT FROM t").rows.isEmpty)
  }

  @Test func cancellingOneWhoWaitsDisturbsNobody() async throws {
    let connection = try await connectShared()
    let marker = "holder_\(UInt32.random(in: 0 ..< .max))"
    let lock = Int64.random(in: 0 ..< .max)
    let blocker = try await connectShared()
    try await blocker.query("SELECT pg_advisory_lock($1)", [.int(lock)])
    let holder = Task { try await connection.query("SELECT pg_advisory_lock($1) /* \(marker) */", [.int(lock)]) }
    try await waitUntilRunning(marker)
    let waiter = Task { try await connection.query("SELECT 1") }
    waiter.cancel()
    await #expect(throws: CancellationError.self) { try await waiter.value }
    try await blocker.query("SELECT pg_advisory_unlock($1)", [.int(lock)])
    #expect(try await holder.value.rows.count == 1)
  }

  /// Cancels at every moment between before the start and after the end: each statement either took effect and says so,
  /// or throws; the next one is never hit.
  @Test func cancellingAtAnyMomentLeavesACleanConnection() async throws {
    let connection = try await connectShared()
    var cancelled = 0
    for round in 0..<150 {
      let task = Task { try await connection.query("SELECT pg_sleep(0.002), $1::int AS n", [.int(Int64(round))]) }
      try await Task.sleep(for: .microseconds(round * 40))
      task.cancel()
      do {
        #expect(try await task.value.rows[0].decode("n", Int.self) == round)
      } catch is CancellationError {
        cancelled += 1
      }
      #expect(try await connection.query("SELECT $1::int AS n", [.int(Int64(round))]).rows[0]["n"] == "\(round)")
    }
    #expect(cancelled > 0)
  }

  /// The rows keep coming all the while; they must not keep the cancellation out. It is asked for while the server still
  /// plans, and a server forgets such a request: one alone was never enough here.
  @Test func aResultCanBeCancelledWhileItArrives() async throws {
    let connection = try await connectShared()
    let marker = "stream_\(UInt32.random(in: 0 ..< .max))"
    let task = Task {
      try await connection.query(
        "SELECT repeat('x', 1000), pg_sleep(0.0001) FROM generate_series(1, 10000000) /* \(marker) */")
    }
    try await waitUntilRunning(marker)
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try await connection.query("SELECT 1").rows.count == 1)
  }

  @Test func theServersTimeoutIsReportedAndTheConnectionReused() async throws {
    let connection = try await connectShared { $0.statementTimeout = .milliseconds(50) }
    let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT pg_sleep(60)") }
    #expect(error?.sqlState == "57014")
    #expect(error?.isQueryCanceled == true)
    #expect(error?.isConnectionFailure == false)
    #expect(try await connection.query("SELECT 1").rows.count == 1)
  }

  /// Where the server has no timeout of its own, as behind a pooler, the client's deadline cancels.
  @Test func theClientsDeadlineCancelsWhenTheServerDoesNot() async throws {
    let connection = try await connectShared { $0.statementTimeout = .milliseconds(50) }
    try await connection.execute("SET statement_timeout = 0")
    let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT pg_sleep(60)") }
    #expect(error?.sqlState == "57014")
    #expect(try await connection.query("SELECT 1").rows.count == 1)
  }
}
