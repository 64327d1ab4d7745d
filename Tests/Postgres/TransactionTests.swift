import Postgres
import TestSupport
import Testing

@Suite struct TransactionTests {
  private struct Interruption: Error {}

  /// A connection with a temporary table `t (n int)`.
  private func connection() async throws -> PostgresConnection {
    let connection = try await connectShared()
    try await connection.execute("CREATE TEMPORARY TABLE t (n int PRIMARY KEY)")
    return connection
  }

  private func count(_ connection: PostgresConnection) async throws -> Int {
    try await connection.query("SELECT count(*) AS n FROM t").rows[0].decode("n")
  }

  @Test func aThrowRollsBackAndAReturnCommits() async throws {
    let connection = try await connection()
    await #expect(throws: Interruption.self) {
      try await connection.transaction { transaction in
        try await transaction.query("INSERT INTO t VALUES (1)")
        throw Interruption()
      }
    }
    #expect(try await count(connection) == 0)
    let inserted = try await connection.transaction(.serializable) { transaction in
      let level = try await transaction.query("SHOW transaction_isolation").rows[0]["transaction_isolation"]
      #expect(level == "serializable")
      return try await transaction.query("INSERT INTO t VALUES (2), (3)").affectedRows
    }
    #expect(inserted == 2)
    #expect(try await count(connection) == 2)
  }

  @Test func othersWaitUntilTheTransactionHasEnded() async throws {
    let connection = try await connection()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for caller in 0..<10 {
        group.addTask {
          // Each sees exactly its own rows twice: nobody's statement comes in between.
          try await connection.transaction { transaction in
            let before: Int = try await transaction.query("SELECT count(*) AS n FROM t").rows[0].decode("n")
            await Task.yield()
            try await transaction.query("INSERT INTO t VALUES ($1)", [.int(Int64(caller))])
            let after: Int = try await transaction.query("SELECT count(*) AS n FROM t").rows[0].decode("n")
            #expect(after == before + 1)
          }
        }
        group.addTask { try await connection.query("SELECT 1") }
      }
      try await group.waitForAll()
    }
    #expect(try await count(connection) == 10)
  }

  @Test func childTasksShareTheTransaction() async throws {
    let connection = try await connection()
    try await connection.transaction { transaction in
      async let first = transaction.query("INSERT INTO t VALUES (1)")
      async let second = transaction.query("INSERT INTO t VALUES (2)")
      _ = try await (first, second)
    }
    #expect(try await count(connection) == 2)
  }

  @Test func transactionsOnTwoConnectionsNest() async throws {
    let outer = try await connection()
    let inner = try await connection()
    try await outer.transaction { outer in
      try await inner.transaction { inner in
        try await inner.query("INSERT INTO t VALUES (1)")
        try await outer.query("INSERT INTO t VALUES (1)")
      }
    }
    #expect(try await count(outer) == 1)
    #expect(try await count(inner) == 1)
  }

  @Test func nestingOnOneConnectionIsRefused() async throws {
    let connection = try await connection()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction { try await $0.transaction { _ in } }
    }
    #expect(error?.code == .misuse)
    #expect(try await count(connection) == 0)
  }

  @Test func aCaughtFailureDoesNotLookLikeACommit() async throws {
    let connection = try await connection()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction { transaction in
        try await transaction.query("INSERT INTO t VALUES (1)")
        _ = try? await transaction.query("SELECT 1 / 0")
      }
    }
    #expect(error?.sqlState == "25P02")
    #expect(try await count(connection) == 0)
  }

  @Test func aDeferredConstraintFailsTheCommit() async throws {
    let connection = try await connection()
    try await connection.execute("CREATE TEMPORARY TABLE u (n int REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction { try await $0.query("INSERT INTO u VALUES (9)") }
    }
    #expect(error?.sqlState == "23503")
    #expect(try await connection.query("SELECT FROM u").rows.isEmpty)
  }

  @Test func endingTheTransactionByHandIsReported() async throws {
    let connection = try await connection()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.transaction { try await $0.query("COMMIT") }
    }
    #expect(error?.code == .misuse)
    #expect(try await count(connection) == 0)
  }

  @Test func aStatementThatLeavesATransactionOpenIsRolledBack() async throws {
    let connection = try await connection()
    let error = await #expect(throws: PostgresError.self) {
      try await connection.execute("BEGIN; INSERT INTO t VALUES (1)")
    }
    #expect(error?.code == .misuse)
    #expect(try await count(connection) == 0)
    try await connection.execute("BEGIN; INSERT INTO t VALUES (1); COMMIT")
    #expect(try await count(connection) == 1)
  }

  @Test func aStatementThatOutlivesTheTransactionIsRefused() async throws {
    let connection = try await connection()
    let (ended, end) = AsyncStream.makeStream(of: Void.self)
    let straggler = try await connection.transaction { transaction in
      Task {
        for await _ in ended { break }
        return try await transaction.query("INSERT INTO t VALUES (1)").affectedRows
      }
    }
    end.yield()
    let error = await #expect(throws: PostgresError.self) { try await straggler.value }
    #expect(error?.code == .misuse)
    #expect(try await count(connection) == 0)
  }

  @Test func cancellingRollsBack() async throws {
    let connection = try await connection()
    let (running, started) = AsyncStream.makeStream(of: Void.self)
    let task = Task {
      try await connection.transaction { transaction in
        try await transaction.query("INSERT INTO t VALUES (1)")
        started.yield()
        try await transaction.query("SELECT pg_sleep(60)")
      }
    }
    for await _ in running { break }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try await count(connection) == 0)
  }
}
