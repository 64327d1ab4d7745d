import Postgres
import TestSupport
import Testing

/// What happens when the connection goes away, in each way that it can.
@Suite struct LossTests {
  /// Ends the session of `connection` from another one.
  private func terminate(_ connection: PostgresConnection) async throws {
    let pid = try await connection.query("SELECT pg_backend_pid() AS pid").rows[0].decode("pid", Int64.self)
    try await connectShared().query("SELECT pg_terminate_backend($1::int)", [.int(pid)])
  }

  @Test func anIdleConnectionNoticesThatItWasTerminated() async throws {
    let connection = try await connectShared()
    try await terminate(connection)
    // The stream ends with the connection, and nobody had to ask the server anything.
    for await _ in connection.notifications {}
    #expect(!connection.isOpen)
    #expect(await connection.closeReason?.sqlState == "57P01")
    let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
    #expect(error?.isConnectionFailure == true)
    #expect(error?.isRetryable == true)
  }

  @Test func aRunningStatementFailsWhenItsSessionIsTerminated() async throws {
    let connection = try await connectShared()
    let pid = try await connection.query("SELECT pg_backend_pid() AS pid").rows[0].decode("pid", Int64.self)
    let task = Task { try await connection.query("SELECT pg_sleep(60)") }
    let waiting = Task { try await connection.transaction { try await $0.query("SELECT 1") } }
    let other = try await connectShared()
    try await eventually {
      try await other.query(
        "SELECT FROM pg_stat_activity WHERE pid = $1::int AND wait_event = 'PgSleep'", [.int(pid)]
      ).rows.count == 1
    }
    try await other.query("SELECT pg_terminate_backend($1::int)", [.int(pid)])
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.sqlState == "57P01")
    #expect(error?.isConnectionFailure == true)
    #expect(!connection.isOpen)
    let next = await #expect(throws: PostgresError.self) { try await waiting.value }
    #expect(next?.isConnectionFailure == true)
  }

  @Test func aTransactionWhoseConnectionIsLostReportsTheLoss() async throws {
    let connection = try await connectShared()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction { transaction in
        let pid = try await transaction.query("SELECT pg_backend_pid() AS pid").rows[0].decode("pid", Int64.self)
        try await connectShared().query("SELECT pg_terminate_backend($1::int)", [.int(pid)])
        try await transaction.query("SELECT 1")
      }
    }
    #expect(error?.isConnectionFailure == true)
    #expect(!connection.isOpen)
  }

  @Test func aServerThatGoesSilentIsGivenUp() async throws {
    let proxy = try StallingProxy(to: await PrivateCluster.shared())
    defer { proxy.stop() }
    let connection = try await PostgresConnection.connect(
      PostgresConfiguration(url: proxy.url(), statementTimeout: .milliseconds(100)))
    #expect(try await connection.query("SELECT 1").rows.count == 1)
    proxy.stall()
    let start = ContinuousClock.now
    let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 2") }
    #expect(error?.code == .connectionLost)
    #expect(error?.message.contains("does not answer") == true)
    // 100 ms, then twice the grace of 2.5 s; the rest is room for a loaded machine.
    #expect(ContinuousClock.now - start < .seconds(15))
    #expect(!connection.isOpen)
  }

  @Test func aTaskCancelledOnASilentConnectionEnds() async throws {
    let proxy = try StallingProxy(to: await PrivateCluster.shared())
    defer { proxy.stop() }
    let connection = try await PostgresConnection.connect(PostgresConfiguration(url: proxy.url()))
    proxy.stall()
    let task = Task { try await connection.query("SELECT 1") }
    // Not before the statement is under way: then it would not have been sent at all.
    try await Task.sleep(for: .milliseconds(100))
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    // The cancellation cannot have got through, so the connection's state is unknown.
    #expect(await connection.closeReason?.code == .connectionLost)
  }

  @Test func aServerThatIsSilentFromTheStartIsGivenUp() async throws {
    let proxy = try StallingProxy(to: await PrivateCluster.shared())
    defer { proxy.stop() }
    proxy.stall()
    let error = await #expect(throws: PostgresError.self) {
      try await PostgresConnection.connect(PostgresConfiguration(url: proxy.url(), connectTimeout: .seconds(2)))
    }
    #expect(error?.code == .connect)
    // A caller who is cancelled does not wait for that long.
    let task = Task { try await PostgresConnection.connect(PostgresConfiguration(url: proxy.url())) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func aHangUpIsNoticedWhileIdle() async throws {
    let proxy = try StallingProxy(to: await PrivateCluster.shared())
    let connection = try await PostgresConnection.connect(PostgresConfiguration(url: proxy.url()))
    proxy.stop()
    for await _ in connection.notifications {}
    #expect(await connection.closeReason?.code == .connectionLost)
  }

  @Test func whatCannotConnectSaysWhy() async throws {
    let missing = await #expect(throws: PostgresError.self) {
      try await PostgresConnection.connect(PostgresConfiguration(url: "host=/nowhere dbname=x"))
    }
    #expect(missing?.code == .connect)
    #expect(missing?.message.contains("/nowhere") == true)
    let malformed = await #expect(throws: PostgresError.self) {
      try await PostgresConnection.connect(PostgresConfiguration(url: "postgresql://u:secret@[::1/db"))
    }
    #expect(malformed?.code == .configuration)
    #expect(malformed?.description.contains("secret") == false)
    let database = await #expect(throws: PostgresError.self) {
      try await PostgresConnection.connect(
        PostgresConfiguration(url: PrivateCluster.shared().url(database: "no_such_database")))
    }
    #expect(database?.message.contains("no_such_database") == true)
    struct Unreadable: Error {}
    let password = await #expect(throws: PostgresError.self) {
      try await PostgresConnection.connect(
        PostgresConfiguration(url: PrivateCluster.shared().url(), password: { throw Unreadable() }))
    }
    #expect(password?.code == .configuration)
  }
}
