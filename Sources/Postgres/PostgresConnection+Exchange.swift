import Dispatch

/// A statement on the wire, from its first byte to its last result.
struct Exchange {
  let id: UInt64
  let continuation: CheckedContinuation<[LibPQResult], any Error>
  var results: [LibPQResult] = []
  /// The first error is the cause; what follows it is consequence.
  var error: PostgresError?
  /// All results are here.
  var isComplete = false

  /// Who asked for the statement to be cancelled.
  enum Canceller { case task, deadline }
  var canceller: Canceller?
  /// A cancel request is under way. The exchange does not end before it has returned: it would hit the next one.
  var isCancelRequestOut = false
}

extension PostgresConnection {
  /// Seconds of silence beyond `statementTimeout` after which the client cancels a statement itself, and again until it
  /// gives the connection up.
  static let grace: Duration = .milliseconds(2500)

  /// Sends a statement and collects its results. Needs the turn.
  ///
  /// - Parameters:
  ///   - isCancellable: false for what must run to its end whatever became of the task: COMMIT, ROLLBACK.
  ///   - send: queues the statement; false when libpq refuses it.
  func run(isCancellable: Bool = true, _ send: (LibPQConnection) -> Bool) async throws -> [LibPQResult] {
    if isCancellable { try Task.checkCancellation() }
    if let failure { throw failure }
    guard send(link) else {
      let error = PostgresError(.connectionLost, "The statement could not be sent: \(link.errorMessage)")
      fail(error)
      throw error
    }
    nextExchangeID += 1
    let id = nextExchangeID
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        exchange = Exchange(id: id, continuation: continuation)
        armDeadline()
        pump()
      }
    } onCancel: {
      guard isCancellable else { return }
      executor.queue.async { [weak self] in
        self?.assumeIsolated { $0.cancelExchange(id, by: .task) }
      }
    }
  }

  /// Moves the exchange on as far as it goes without waiting.
  func pump() {
    guard exchange != nil else {
      watcher?.setWriting(false)
      return
    }
    switch link.flush() {
    case .done: watcher?.setWriting(false)
    case .pending: watcher?.setWriting(true)
    // The server may have said why before it hung up; the read side finds that, or the end of the stream.
    case .failed: watcher?.setWriting(false)
    }
    while exchange != nil, !link.isBusy {
      guard let result = link.nextResult() else { return completeExchange() }
      switch result.status {
      case .rows, .done: exchange?.results.append(result)
      case .error: if exchange?.error == nil { exchange?.error = result.error }
      case .copy:
        fail(
          PostgresError(
            .misuse, "COPY to or from the client is not supported here; the connection was closed. Use psql's \\copy."))
      }
    }
  }

  /// The socket has data, or has ended; also while no statement runs.
  func socketBecameReadable() {
    guard failure == nil else { return }
    let isAlive = link.consumeInput()
    while let notification = link.nextNotification() { mailbox.put(notification) }
    if exchange != nil {
      armDeadline()
      pump()
    }
    guard failure == nil, !isAlive || link.isBad else { return readOn() }
    if let farewell = link.notices.farewell {
      fail(farewell)
    } else {
      fail(PostgresError(.connectionLost, "The connection to the database was lost: \(link.errorMessage)"))
    }
  }

  /// Reads on where one call has not taken everything. When the server hangs up, a dispatch source on Linux fires once
  /// and never again, and that one time libpq may read the server's last words and not yet the end behind them.
  /// By way of the queue, so that cancellation and the deadline get their turn in a long result.
  private func readOn() {
    guard failure == nil, !isReadingOn, link.hasInput else { return }
    isReadingOn = true
    executor.queue.async { [weak self] in
      self?.assumeIsolated {
        $0.isReadingOn = false
        $0.socketBecameReadable()
      }
    }
  }

  private func completeExchange() {
    exchange?.isComplete = true
    guard let ended = exchange, !ended.isCancelRequestOut else { return }
    timer?.disarm()
    // A session that the server has ended is of no use even where the socket's end is not in yet.
    if let error = ended.error, error.isFatal || error.code == .connectionLost || link.isBad { return fail(error) }
    finishExchange(throwing: ended.error)
  }

  /// Ends the exchange, if there is one, with its results or an error.
  func finishExchange(throwing error: (any Error)?) {
    guard let ended = exchange else { return }
    exchange = nil
    if ended.canceller == .task, let error = error as? PostgresError, error.isQueryCanceled || !isOpen {
      // What became of the connection is the next caller's concern.
      ended.continuation.resume(throwing: CancellationError())
    } else if let error {
      ended.continuation.resume(throwing: error)
    } else {
      ended.continuation.resume(returning: ended.results)
    }
  }

  /// Asks the server to cancel the exchange, which then ends with SQLSTATE 57014, or with its results if it was faster.
  func cancelExchange(_ id: UInt64, by canceller: Exchange.Canceller) {
    guard let running = exchange, running.id == id, running.canceller == nil, !running.isComplete else { return }
    exchange?.canceller = canceller
    timer?.fire(after: Self.grace)
    sendCancelRequest(id)
  }

  private func sendCancelRequest(_ id: UInt64) {
    guard let running = exchange, running.id == id, let request = link.cancelRequest() else { return }
    exchange?.isCancelRequestOut = true
    // PQcancel connects, and waits: not on the connection's queue, where the answer arrives meanwhile.
    DispatchQueue(label: "tintype.postgres.cancel").async {
      _ = request.send()
      self.executor.queue.async {
        self.assumeIsolated { $0.cancelRequestReturned(id) }
      }
    }
  }

  /// Asks again after a while where the statement goes on: PostgreSQL forgets a request that comes in while it parses
  /// or plans, at the moment it reads the next message, Bind or Execute.
  private func cancelRequestReturned(_ id: UInt64) {
    guard let running = exchange, running.id == id else { return }
    exchange?.isCancelRequestOut = false
    if running.isComplete { return completeExchange() }
    executor.queue.asyncAfter(deadline: .now() + .milliseconds(100)) { [weak self] in
      self?.assumeIsolated { $0.sendCancelRequest(id) }
    }
  }

  /// Counted anew with every sign of life, so that a large result over a slow line is no reason to give up.
  private func armDeadline() {
    guard configuration.statementTimeout > .zero, exchange?.canceller == nil else { return }
    timer?.fire(after: configuration.statementTimeout + Self.grace)
  }

  /// The server has been silent for too long: cancel first; when that does not help, it or the way to it is dead.
  func deadlinePassed() {
    guard timer?.isDue == true, let running = exchange else { return }
    if running.canceller == nil {
      cancelExchange(running.id, by: .deadline)
    } else {
      fail(
        PostgresError(
          .connectionLost,
          "The server does not answer: the statement neither ended nor could be cancelled, and the connection was "
            + "closed. Whether the statement took effect is unknown."))
    }
  }
}
