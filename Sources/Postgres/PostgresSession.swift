/// A connection that comes back: connects when it is first needed, and again whenever it was lost.
///
/// Its callers share one connection and take turns on it.
public actor PostgresSession {
  /// What the session is doing about its connection; for status lines.
  public enum State: Sendable, Equatable {
    /// Not asked for anything yet.
    case idle
    /// An attempt is under way.
    case connecting
    /// The last attempt succeeded, and nothing has failed since.
    case connected
    /// The connection was lost or could not be made; the next attempt follows after `retryIn`.
    case waiting(reason: String, retryIn: Duration)
    /// As `waiting`, but the server is there and turns this client away: see `PostgresError.isRefusal`. The next attempt asks
    /// for the password anew.
    case refused(reason: String, retryIn: Duration)
    /// Closed for good.
    case closed
  }

  private let configuration: PostgresConfiguration
  private let patience: Duration?
  private let onStateChange: (@Sendable (State) -> Void)?
  private var connection: PostgresConnection?
  private var backoff = ReconnectBackoff()
  /// One caller connects, the others wait for it.
  private nonisolated let connecting = FIFOGate()

  /// What the session is doing about its connection.
  public private(set) var state = State.idle {
    didSet { if state != oldValue { onStateChange?(state) } }
  }

  /// - Parameters:
  ///   - configuration: used anew at every connect, the password source too.
  ///   - patience: how long a caller may wait for a connection while attempts fail. Nil, for a daemon: until it is
  ///     cancelled. Zero, for a command: the first failure is thrown.
  ///   - onStateChange: called with every new state, in order; return quickly.
  public init(
    _ configuration: PostgresConfiguration, patience: Duration? = nil,
    onStateChange: (@Sendable (State) -> Void)? = nil
  ) {
    self.configuration = configuration
    self.patience = patience
    self.onStateChange = onStateChange
  }

  /// Runs `body` with a live connection, in the caller's isolation. Connects first when there is none, with growing
  /// pauses between failed attempts: 0.1 s, doubling, at most 10 s, each shortened at random by up to a half.
  ///
  /// `body` runs once. When it throws a connection failure, the connection is closed, the error is thrown, and the next
  /// call connects anew.
  ///
  /// - Throws: what `body` throws; `PostgresError` when `patience` is over, at once for a malformed URL;
  ///   `CancellationError`.
  public nonisolated(nonsending) func withConnection<R>(
    _ body: (PostgresConnection) async throws -> R
  ) async throws -> R {
    let connection = try await liveConnection()
    do {
      let result = try await body(connection)
      await worked(connection)
      return result
    } catch let error as PostgresError where error.isConnectionFailure {
      await discard(connection, because: error)
      throw error
    }
  }

  /// As `withConnection`, but runs `body` again after an error that may pass: a deadlock or serialization failure
  /// (SQLSTATE 40P01, 40001), a lost connection, a server that restarts or is full.
  ///
  /// Only for what may take effect twice: when the connection is lost, the first run may have committed.
  ///
  /// - Parameter attempts: runs of `body` at most, from 1.
  public nonisolated(nonsending) func withRetries<R>(
    attempts: Int = 5, _ body: (PostgresConnection) async throws -> R
  ) async throws -> R {
    var pause = ReconnectBackoff()
    while true {
      do {
        return try await withConnection(body)
      } catch let error as PostgresError where error.isRetryable && pause.failures + 1 < attempts {
        // `withConnection` has its own pauses, but a deadlock does not go through them.
        pause.failed()
        try await Task.sleep(for: pause.delay)
      }
    }
  }

  /// Closes the connection for good; whoever waits for one gets an error.
  public func close() async {
    state = .closed
    await connection?.close()
    connection = nil
  }

  private func liveConnection() async throws -> PostgresConnection {
    try await connecting.enter()
    defer { connecting.leave() }
    if let connection, connection.isOpen, state != .closed { return connection }
    if let lost = connection {
      connection = nil
      await noteFailure(lost.closeReason ?? PostgresError(.connectionLost, "The connection was lost."))
    }
    return try await connect()
  }

  private func connect() async throws -> PostgresConnection {
    let clock = ContinuousClock()
    let start = clock.now
    while true {
      try refuseWhenClosed()
      // Whoever has no patience tries now: the pause is for those who would try again and again.
      try await Task.sleep(for: min(pendingDelay, patience ?? pendingDelay))
      try refuseWhenClosed()
      state = .connecting
      do {
        let new = try await PostgresConnection.connect(configuration)
        guard state != .closed else {
          await new.close()
          continue
        }
        connection = new
        state = .connected
        return new
      } catch let error as PostgresError where error.isConnectionFailure {
        noteFailure(error)
        if let patience, clock.now - start + pendingDelay > patience { throw error }
      }
    }
  }

  private func refuseWhenClosed() throws {
    if state == .closed { throw PostgresError(.misuse, "The database session is closed.") }
  }

  /// The pause announced in `state`.
  private var pendingDelay: Duration {
    switch state {
    case .waiting(_, let delay), .refused(_, let delay): delay
    case .idle, .connecting, .connected, .closed: .zero
    }
  }

  private func noteFailure(_ error: PostgresError) {
    guard state != .closed else { return }
    backoff.failed()
    state =
      error.isRefusal
      ? .refused(reason: error.message, retryIn: backoff.delay)
      : .waiting(reason: error.message, retryIn: backoff.delay)
  }

  /// A connection that only connects is no success yet: a pooler accepts clients while its server is down.
  private func worked(_ used: PostgresConnection) {
    if used === connection { backoff.succeeded() }
  }

  private func discard(_ broken: PostgresConnection, because error: PostgresError) async {
    if broken === connection {
      connection = nil
      noteFailure(error)
    }
    await broken.close()
  }
}
