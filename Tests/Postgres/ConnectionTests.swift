import Postgres
import TestSupport
import Testing

/// Connects to the shared cluster's default database, which no test changes.
func connectShared(_ change: (inout PostgresConfiguration) -> Void = { _ in }) async throws -> PostgresConnection {
  var configuration = PostgresConfiguration(url: try await PrivateCluster.shared().url())
  change(&configuration)
  return try await PostgresConnection.connect(configuration)
}

@Suite struct ConnectionTests {
  @Test func aQueryReturnsRowsInOrderWithTheirColumns() async throws {
    let connection = try await connectShared()
    let result = try await connection.query(
      "SELECT n, n * 2 AS twice FROM generate_series(1, $1::int) AS n ORDER BY n", [3])
    #expect(try result.rows.map { try $0.decode("n", Int.self) } == [1, 2, 3])
    #expect(try result.rows.map { try $0.decode("twice", Int64.self) } == [2, 4, 6])
    #expect(result.affectedRows == 3)
    #expect(result.commandTag == "SELECT 3")
    #expect(result.rows[0].columnNames == ["n", "twice"])
    await connection.close()
  }

  @Test func aServerErrorCarriesItsParts() async throws {
    let connection = try await connectShared()
    try await connection.execute(
      "CREATE TEMPORARY TABLE steps (n int NOT NULL CONSTRAINT steps_at_least_1 CHECK (n >= 1), m int NOT NULL)")
    let check = await #expect(throws: PostgresError.self) {
      try await connection.query("INSERT INTO steps VALUES ($1, 1)", [0])
    }
    #expect(check?.code == .server)
    #expect(check?.sqlState == "23514")
    #expect(check?.constraint == "steps_at_least_1")
    #expect(check?.table == "steps")
    #expect(check?.detail?.contains("(0, 1)") == true)
    #expect(check?.isConnectionFailure == false)
    #expect(check?.isRetryable == false)
    let null = await #expect(throws: PostgresError.self) {
      try await connection.query("INSERT INTO steps VALUES (1, $1)", [nil])
    }
    #expect(null?.column == "m")
    let hinted = await #expect(throws: PostgresError.self) {
      try await connection.query("DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'try', ERRCODE = '40001'; END $$")
    }
    #expect(hinted?.hint == "try")
    #expect(hinted?.isRetryable == true)
    #expect(hinted?.description.contains("HINT: try") == true)
    let syntax = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1 FRM x") }
    #expect(syntax?.sqlState == "42601")
    #expect(syntax?.position == 14)
    // The connection is as good as new after each of them.
    #expect(try await connection.query("SELECT 1 AS one").rows[0].decode("one", Int.self) == 1)
  }

  @Test func aScriptRunsItsStatementsAsOneTransaction() async throws {
    let connection = try await connectShared()
    await #expect(throws: PostgresError.self) {
      try await connection.execute("CREATE TEMPORARY TABLE half (n int); SELECT 1 / 0; SELECT 2")
    }
    #expect(try await connection.query("SELECT to_regclass('half') AS t").rows[0]["t"] == nil)
    await #expect(throws: PostgresError.self) { try await connection.execute("BEGIN; SELECT 1 / 0; COMMIT") }
    #expect(try await connection.query("SELECT 1 AS one").rows.count == 1)
    try await connection.execute("")
  }

  @Test func statementsOfFiftyCallersTakeTurns() async throws {
    let connection = try await connectShared()
    let sum = try await withThrowingTaskGroup(of: Int.self) { group in
      for caller in 0..<50 {
        group.addTask {
          var sum = 0
          for n in 0..<20 {
            let expected = caller * 1000 + n
            let row = try await connection.query("SELECT $1::int AS n", [.int(Int64(expected))]).rows[0]
            sum += try row.decode("n", Int.self) == expected ? 1 : 0
          }
          return sum
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(sum == 1000)
  }

  @Test func theSessionIsSetUp() async throws {
    let connection = try await connectShared {
      $0.statementTimeout = .milliseconds(12_345)
      $0.idleInTransactionTimeout = .seconds(7)
      $0.applicationName = "tintype-test"
    }
    let row = try await connection.query(
      """
      SELECT current_setting('statement_timeout') AS statement, current_setting('client_encoding') AS encoding,
        current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('application_name') AS name
      """
    ).rows[0]
    #expect(try row["statement"] == "12345ms")
    #expect(try row["idle"] == "7s")
    #expect(try row["name"] == "tintype-test")
    #expect(try row["encoding"] == "UTF8")
    let own = try await PostgresConnection.connect(
      PostgresConfiguration(url: PrivateCluster.shared().url() + "&application_name=mine"))
    #expect(try await own.query("SHOW application_name").rows[0]["application_name"] == "mine")
  }

  @Test func noticesReachTheHandler() async throws {
    let (notices, sink) = AsyncStream.makeStream(of: PostgresNotice.self)
    let connection = try await connectShared { $0.onNotice = { sink.yield($0) } }
    try await connection.query("DO $$ BEGIN RAISE WARNING 'look out' USING ERRCODE = '01007'; END $$")
    var iterator = notices.makeAsyncIterator()
    #expect(await iterator.next() == PostgresNotice(severity: "WARNING", sqlState: "01007", message: "look out"))
  }

  @Test func copyIsRefusedAndTheConnectionClosed() async throws {
    for statement in ["COPY (SELECT 1) TO STDOUT", "COPY pg_class FROM STDIN"] {
      let connection = try await connectShared()
      let error = await #expect(throws: PostgresError.self) { try await connection.execute(statement) }
      #expect(error?.message.contains("COPY") == true)
      #expect(!connection.isOpen)
    }
  }

  @Test func closingIsFinalAndRepeatable() async throws {
    let connection = try await connectShared()
    await connection.close()
    await connection.close()
    let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
    #expect(error?.code == .connectionLost)
    #expect(error?.isConnectionFailure == true)
    for await _ in connection.notifications { Issue.record("a closed connection has no notifications") }
  }

  @Test func anAbandonedConnectionLeavesTheServer() async throws {
    let name = "abandoned-\(UInt32.random(in: 0 ..< .max))"
    do {
      let connection = try await connectShared { $0.applicationName = name }
      try await connection.query("SELECT 1")
    }
    let watcher = try await connectShared()
    // The goodbye is asynchronous; the server is asked until it has seen it.
    try await eventually {
      try await watcher.query("SELECT FROM pg_stat_activity WHERE application_name = $1", [.text(name)]).rows.isEmpty
    }
  }
}

/// Asks until the answer is yes, and fails after 10 s. For what the server does on its own time and tells nobody.
func eventually(_ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(10)
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      Issue.record("it did not come true within 10 s")
      return
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
