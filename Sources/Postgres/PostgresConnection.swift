import Synchronization

/// One connection to a PostgreSQL server, through libpq in non-blocking mode.
///
/// - Statements are sent one at a time, in the order in which callers came; a transaction holds the connection for
///   itself until it ends.
/// - A task that is cancelled while its statement runs has the statement cancelled on the server and throws
///   `CancellationError`. The connection is clean for the next caller, or closed; never in between.
/// - A broken connection stays broken: every later call throws. `PostgresSession` makes a new one.
/// - No call blocks a thread of the cooperative pool, and no state lives in the session but `LISTEN`, so that a pooler
///   in transaction mode may stand in between for everything else.
public actor PostgresConnection {
  /// Runs the actor and its socket's events.
  nonisolated let executor: DispatchQueueExecutor
  /// The actor runs on a queue of its own.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

  let configuration: PostgresConfiguration
  let link: LibPQConnection
  var watcher: SocketWatcher?
  /// A further read is on the queue.
  var isReadingOn = false
  var timer: DeadlineTimer?

  /// Why the connection is of no more use.
  var failure: PostgresError?
  private nonisolated let openFlag = Atomic<Bool>(true)

  /// The statement that is on the wire.
  var exchange: Exchange?
  var nextExchangeID: UInt64 = 0

  /// Held for a statement, or for a whole transaction.
  nonisolated let exclusive = FIFOGate()
  /// Held for a statement within a transaction: its body may have child tasks.
  nonisolated let wire = FIFOGate()
  /// The transaction that holds `exclusive`.
  var openTransaction: TransactionToken?

  nonisolated let mailbox = NotificationMailbox()

  init(
    configuration: PostgresConfiguration, link: sending LibPQConnection, executor: DispatchQueueExecutor
  ) {
    self.configuration = configuration
    self.link = link
    self.executor = executor
  }

  deinit { mailbox.finish() }

  /// Whether the connection can still be used, as far as is known.
  public nonisolated var isOpen: Bool { openFlag.load(ordering: .acquiring) }

  /// Why the connection closed; nil while it is open.
  public var closeReason: PostgresError? { failure }

  /// Runs one statement.
  ///
  /// - Parameters:
  ///   - sql: one statement, with `$1`, `$2`, … for the parameters.
  ///   - parameters: their values, at most 65 535; nil is NULL.
  /// - Returns: the rows, all of them in memory.
  /// - Throws: `PostgresError`, `CancellationError`.
  @discardableResult
  public func query(_ sql: String, _ parameters: [PostgresValue?] = []) async throws -> PostgresResult {
    try Self.refuseNUL(in: sql)
    guard parameters.count <= Int(UInt16.max) else {
      throw PostgresError(
        .misuse, "A statement takes at most 65535 parameters; this one has \(parameters.count). Send arrays instead.")
    }
    let encoded = try parameters.enumerated().map { try $1?.encoded(at: $0 + 1) }
    let results = try await withTurn {
      try await run { $0.send(sql, encoded) }
    }
    guard let result = results.last else {
      throw PostgresError(.connectionLost, "The server returned no result.")
    }
    return PostgresResult(result)
  }

  /// Runs several statements, separated by semicolons and without parameters. Unless the script says otherwise with
  /// `BEGIN` and `COMMIT`, they are one transaction.
  ///
  /// - Throws: `PostgresError` of the first statement that fails; what is left open is rolled back.
  public func execute(_ script: String) async throws {
    try Self.refuseNUL(in: script)
    _ = try await withTurn {
      try await run { $0.sendScript(script) }
    }
  }

  /// Subscribes to a channel. Needs a connection of its own: a pooler in transaction mode hands the session on, and the
  /// notifications with it.
  ///
  /// - Parameter channel: a name as in `NOTIFY`, case as written.
  public func listen(_ channel: String) async throws {
    let name = try link.quotedIdentifier(channel)
    _ = try await withTurn {
      try await run { $0.sendScript("LISTEN \(name)") }
    }
  }

  /// The notifications of every channel listened to, as they come in, also while nothing else happens. It ends with the
  /// connection. At most 256 unread ones are kept, the newest; equal unread ones count once.
  ///
  /// Each notification goes to one reader.
  public nonisolated var notifications: AsyncStream<PostgresNotification> {
    let mailbox = mailbox
    return AsyncStream { await mailbox.next() }
  }

  /// Closes the connection at once. A statement that runs, or waits for its turn, throws `connectionLost`. Closing a
  /// closed connection does nothing.
  public func close() async {
    fail(PostgresError(.connectionLost, "The connection was closed by this program."))
  }

  /// Makes the connection unusable for good, and tells everyone who waits for it.
  func fail(_ error: PostgresError) {
    guard failure == nil else { return }
    failure = error
    openFlag.store(false, ordering: .releasing)
    watcher?.cancel()
    timer?.disarm()
    link.close()
    mailbox.finish()
    finishExchange(throwing: error)
  }

  private static func refuseNUL(in sql: String) throws {
    guard sql.utf8.contains(0) else { return }
    throw PostgresError(.misuse, "The SQL text contains the character U+0000, where PostgreSQL would stop reading.")
  }
}
