import Postgres
import Synchronization
import TestSupport
import Testing

@Suite struct SessionTests {
  /// What a session reports, and a way to wait for it.
  private final class Watch: Sendable {
    private let seen = Mutex<[PostgresSession.State]>([])
    var states: [PostgresSession.State] { seen.withLock { $0 } }
    func note(_ state: PostgresSession.State) { seen.withLock { $0.append(state) } }
  }

  private func one(_ session: PostgresSession) async throws -> Int {
    try await session.withConnection { try await $0.query("SELECT 1 AS n").rows[0].decode("n") }
  }

  @Test func aSessionSurvivesACrashOfTheServer() async throws {
    let cluster = try await PrivateCluster.start()
    let watch = Watch()
    let session = PostgresSession(PostgresConfiguration(url: cluster.url())) { watch.note($0) }
    #expect(try await one(session) == 1)
    try await cluster.stop(.immediate)
    // Waits through the outage: the server comes back only once an attempt has failed.
    let caller = Task { try await session.withRetries { try await $0.query("SELECT 2 AS n").rows[0]["n"] } }
    try await eventually {
      watch.states.contains { if case .waiting = $0 { true } else { false } }
    }
    try await cluster.startAgain()
    #expect(try await caller.value == "2")
    #expect(watch.states.first == .connecting)
    #expect(watch.states.last == .connected)
    await session.close()
    #expect(watch.states.last == .closed)
    await #expect(throws: PostgresError.self) { try await one(session) }
    await cluster.remove()
  }

  @Test func aCallerIsNotRunAgainUnlessItAsksForIt() async throws {
    let session = PostgresSession(PostgresConfiguration(url: try await PrivateCluster.shared().url()))
    let runs = Mutex(0)
    await #expect(throws: PostgresError.self) {
      try await session.withConnection { connection in
        runs.withLock { $0 += 1 }
        try await connection.query("SELECT pg_terminate_backend(pg_backend_pid())")
      }
    }
    #expect(runs.withLock { $0 } == 1)
    #expect(try await one(session) == 1)
    for state in ["40001", "40P01", "57P03", "08006"] {
      runs.withLock { $0 = 0 }
      let result = try await session.withRetries { connection in
        let run = runs.withLock { runs in
          runs += 1
          return runs
        }
        if run < 3 { try await connection.execute("DO $$ BEGIN RAISE SQLSTATE '\(state)'; END $$") }
        return run
      }
      #expect(result == 3, "SQLSTATE \(state)")
    }
    runs.withLock { $0 = 0 }
    await #expect(throws: PostgresError.self) {
      try await session.withRetries(attempts: 4) { connection in
        runs.withLock { $0 += 1 }
        try await connection.query("SELECT 1 / 0")
      }
    }
    #expect(runs.withLock { $0 } == 1, "a division by zero does not mend itself")
    await session.close()
  }

  /// After a failover the old primary still answers, read-only.
  @Test func aReadOnlyServerMeansANewConnection() async throws {
    let session = PostgresSession(PostgresConfiguration(url: try await PrivateCluster.shared().url()))
    let first = try await session.withConnection { $0 }
    try await first.execute("SET default_transaction_read_only = on")
    let error = await #expect(throws: PostgresError.self) {
      try await session.withConnection { try await $0.query("CREATE TABLE never (n int)") }
    }
    #expect(error?.sqlState == "25006")
    let second = try await session.withConnection { $0 }
    #expect(first !== second)
    #expect(!first.isOpen)
    await session.close()
  }

  @Test func patienceEndsInTheConnectionsOwnError() async throws {
    let nowhere = PostgresConfiguration(url: "host=/nowhere dbname=x")
    let hasty = PostgresSession(nowhere, patience: .zero)
    let error = await #expect(throws: PostgresError.self) { try await one(hasty) }
    #expect(error?.code == .connect)
    let patient = PostgresSession(nowhere)
    let caller = Task { try await one(patient) }
    let other = Task { try await one(patient) }
    for task in [other, caller] {
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }
    let malformed = PostgresSession(PostgresConfiguration(url: "postgresql://["))
    let configuration = await #expect(throws: PostgresError.self) { try await one(malformed) }
    #expect(configuration?.code == .configuration)
  }

  @Test func thePasswordIsReadAtEveryConnect() async throws {
    let reads = Mutex(0)
    let configuration = PostgresConfiguration(
      url: try await PrivateCluster.shared().url(),
      password: {
        reads.withLock { $0 += 1 }
        return "unused by trust"
      })
    let session = PostgresSession(configuration)
    for expected in 1...3 {
      let connection = try await session.withConnection { $0 }
      #expect(reads.withLock { $0 } == expected)
      await connection.close()
    }
    await session.close()
  }

  @Test func aListenerComesBackAndSaysSo() async throws {
    let channel = "listener_\(UInt32.random(in: 0 ..< .max))"
    let session = PostgresSession(PostgresConfiguration(url: try await PrivateCluster.shared().url()))
    let (events, sink) = AsyncStream.makeStream(of: PostgresListenEvent.self)
    let task = Task { try await session.listen(to: [channel]) { sink.yield($0) } }
    var heard = events.makeAsyncIterator()
    let sender = try await connectShared()
    for round in 1...2 {
      #expect(await heard.next() == .listening)
      try await sender.query("SELECT pg_notify($1, $2)", [.text(channel), .text("\(round)")])
      #expect(await heard.next() == .notification(PostgresNotification(channel: channel, payload: "\(round)")))
      let pid = try await session.withConnection {
        try await $0.query("SELECT pg_backend_pid() AS pid").rows[0].decode("pid", Int64.self)
      }
      try await sender.query("SELECT pg_terminate_backend($1::int)", [.int(pid)])
    }
    #expect(await heard.next() == .listening)
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    await session.close()
  }
}
