import Dispatch
import Synchronization

extension PostgresConnection {
  /// Connects.
  ///
  /// Name lookup and libpq's connection loop run on the connection's own queue. A caller that is cancelled gets its
  /// `CancellationError` at once; the attempt itself ends in the background, at the latest after `connectTimeout`.
  ///
  /// - Throws: `PostgresError` (`configuration`, `connect`), `CancellationError`.
  public static func connect(_ configuration: PostgresConfiguration) async throws -> PostgresConnection {
    let executor = DispatchQueueExecutor(label: "tintype.postgres")
    let outcome = Once<PostgresConnection>()
    let connection = try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        outcome.wait(continuation)
        executor.queue.async {
          outcome.resolve(Result { try connectBlocking(configuration, executor: executor) })
        }
      }
    } onCancel: {
      outcome.resolve(.failure(CancellationError()))
    }
    try await connection.begin()
    return connection
  }

  /// Runs on the connection's queue.
  private static func connectBlocking(
    _ configuration: PostgresConfiguration, executor: DispatchQueueExecutor
  ) throws -> PostgresConnection {
    let link = try LibPQConnection(connecting: configuration.libPQParameters(), onNotice: configuration.onNotice)
    return PostgresConnection(configuration: configuration, link: link, executor: executor)
  }

  /// Starts to watch the socket, and sets the session's timeouts.
  ///
  /// They are set where this very session belongs to us. Behind a pooler the backend is another one than was announced:
  /// a `SET` would stay in a session that the next client gets. There, set them for the role
  /// (`ALTER ROLE … SET statement_timeout`); the client's own deadline holds in any case. They are not sent as startup
  /// `options`, because PgBouncer refuses to connect with those.
  private func begin() async throws {
    watcher = try SocketWatcher(
      socket: link.socket, queue: executor.queue,
      onReadable: { [weak self] in self?.assumeIsolated { $0.socketBecameReadable() } },
      onWritable: { [weak self] in self?.assumeIsolated { $0.pump() } })
    timer = DeadlineTimer(queue: executor.queue) { [weak self] in self?.assumeIsolated { $0.deadlinePassed() } }
    do {
      try await query(
        """
        SELECT set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false)
        WHERE pg_catalog.pg_backend_pid() = $3::int
        """,
        [
          // The settings are 32-bit integers: 24 days at most.
          .text(String(Int32(clamping: configuration.statementTimeout.milliseconds))),
          .text(String(Int32(clamping: configuration.idleInTransactionTimeout.milliseconds))),
          .int(Int64(link.backendPID)),
        ])
    } catch {
      await close()
      throw error
    }
  }
}

/// A continuation that is resumed by whoever is first.
private final class Once<Value: Sendable>: Sendable {
  private struct State {
    var continuation: CheckedContinuation<Value, any Error>?
    var early: Result<Value, any Error>?
    var isResolved = false
  }
  private let state = Mutex(State())

  func wait(_ continuation: CheckedContinuation<Value, any Error>) {
    let early = state.withLock { state in
      if state.early == nil { state.continuation = continuation }
      return state.early
    }
    if let early { continuation.resume(with: early) }
  }

  func resolve(_ result: Result<Value, any Error>) {
    let continuation = state.withLock { state -> CheckedContinuation<Value, any Error>? in
      guard !state.isResolved else { return nil }
      state.isResolved = true
      if state.continuation == nil { state.early = result }
      defer { state.continuation = nil }
      return state.continuation
    }
    continuation?.resume(with: result)
  }
}
