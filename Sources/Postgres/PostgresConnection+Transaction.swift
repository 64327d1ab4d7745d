/// Identifies an open transaction to the tasks inside it.
final class TransactionToken: Sendable {
  /// The gate of the transaction's connection, which stands for the connection: it is never reused.
  let gate: FIFOGate

  init(gate: FIFOGate) { self.gate = gate }

  /// The transactions around the current task, the innermost last; of several connections, perhaps.
  @TaskLocal static var current: [TransactionToken] = []
}

/// What a transaction sees of others; see PostgreSQL's manual, "Transaction Isolation".
public enum TransactionIsolation: String, Sendable {
  /// PostgreSQL's default.
  case readCommitted = "READ COMMITTED"
  /// One snapshot for the whole transaction.
  case repeatableRead = "REPEATABLE READ"
  /// As if transactions ran one after another; may fail with SQLSTATE 40001.
  case serializable = "SERIALIZABLE"
}

extension PostgresConnection {
  /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
  ///
  /// Nobody else's statements come in between: other callers wait until the transaction has ended. Within `body`,
  /// query this connection, from child tasks too; an unstructured task that outlives `body` gets an error. Await
  /// nothing in it that itself waits for this connection from outside the transaction.
  ///
  /// - Parameters:
  ///   - isolationLevel: nil for the server's default.
  ///   - body: its result is returned once the commit is through.
  /// - Throws: what `body` throws; `PostgresError` when the commit fails, and then nothing took effect, except for
  ///   `connectionLost` during the commit: then that is unknown.
  public func transaction<R: Sendable>(
    _ isolationLevel: TransactionIsolation? = nil,
    _ body: @Sendable (isolated PostgresConnection) async throws -> R
  ) async throws -> R {
    guard !isInsideTransaction else {
      throw PostgresError(
        .misuse, "A transaction is already open on this connection: run the statements in it, or use SAVEPOINT.")
    }
    try refuseStraggler()
    try await exclusive.enter()
    defer { exclusive.leave() }
    try Task.checkCancellation()
    let begin = isolationLevel.map { "BEGIN ISOLATION LEVEL \($0.rawValue)" } ?? "BEGIN"
    _ = try await run(isCancellable: false) { $0.sendScript(begin) }
    let token = TransactionToken(gate: exclusive)
    openTransaction = token
    let result: R
    do {
      result = try await TransactionToken.$current.withValue(TransactionToken.current + [token]) {
        try await body(self)
      }
    } catch {
      await rollBack()
      throw error
    }
    try await commit()
    return result
  }

  /// Whether the current task runs in this connection's open transaction.
  private var isInsideTransaction: Bool {
    openTransaction.map { open in TransactionToken.current.contains { $0 === open } } ?? false
  }

  /// A statement meant for a transaction must not run on its own after that has ended.
  private func refuseStraggler() throws {
    guard TransactionToken.current.contains(where: { $0.gate === exclusive && $0 !== openTransaction }) else { return }
    throw PostgresError(
      .misuse, "The transaction ended before this statement of a task in it: await the task in the transaction's body.")
  }

  /// Runs `body` when it is this caller's turn: within its own transaction, or between those of others.
  func withTurn<R>(_ body: () async throws -> R) async throws -> R {
    if isInsideTransaction {
      try await wire.enter()
      defer { wire.leave() }
      try refuseStraggler()
      return try await body()
    }
    try refuseStraggler()
    try await exclusive.enter()
    defer { exclusive.leave() }
    let outcome: R
    do {
      outcome = try await body()
    } catch {
      if failure == nil, link.transactionState != .idle { await rollBack() }
      throw error
    }
    if failure == nil, link.transactionState != .idle {
      await rollBack()
      throw PostgresError(
        .misuse,
        "The statement left a transaction open, where other callers' statements would have come in; it was rolled "
          + "back. Use transaction { … }.")
    }
    return outcome
  }

  private func commit() async throws {
    // Waits for statements of child tasks that the body did not await.
    try await endTransaction { state in
      switch state {
      case .active:
        let results = try await run(isCancellable: false) { $0.sendScript("COMMIT") }
        guard let tag = results.last?.commandTag, tag == "COMMIT" else {
          throw PostgresError(.server, "The transaction was rolled back at its commit.", sqlState: "25P02")
        }
      case .failed:
        _ = try await run(isCancellable: false) { $0.sendScript("ROLLBACK") }
        throw PostgresError(
          .server, "A statement of the transaction failed, and its error was caught: all was rolled back.",
          sqlState: "25P02", hint: "Let the error leave the transaction's body, or put a SAVEPOINT before it.")
      case .idle, .unknown:
        throw PostgresError(
          .misuse, "The transaction was ended inside its body. Leave COMMIT and ROLLBACK to transaction { … }.")
      }
    }
  }

  private func rollBack() async {
    do {
      try await endTransaction { state in
        if state == .idle { return }
        _ = try await run(isCancellable: false) { $0.sendScript("ROLLBACK") }
      }
    } catch {
      // Its state is unknown now; nobody may use it again.
      fail(PostgresError(.connectionLost, "The transaction could not be rolled back: \(error)"))
    }
  }

  /// Runs the last statement of a transaction, and closes it to latecomers.
  private func endTransaction(_ body: (LibPQConnection.TransactionState) async throws -> Void) async throws {
    await wire.enterUninterrupted()
    defer { wire.leave() }
    openTransaction = nil
    if let failure { throw failure }
    try await body(link.transactionState)
  }
}
