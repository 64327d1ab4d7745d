internal import Logging
internal import Synchronization

/// One look at the database for everybody who watches: asks while there is a watcher, and rests when there is none.
final class DashboardFeed: Sendable {
  /// What a watcher is sent.
  struct Event: Sendable {
    /// The name that the page listens for.
    let name: String
    /// JSON, one line.
    let data: String
  }

  private struct State {
    var watchers: [Int: AsyncStream<Event>.Continuation] = [:]
    var next = 0
    var poll: Task<Void, Never>?
    var isOver = false
    /// The latest of each name, for whoever comes in between.
    var latest: [String: Event] = [:]
  }

  private let store: DashboardStore
  private let refresh: Duration
  private let logger: Logger
  private let state = Mutex(State())

  init(store: DashboardStore, refresh: Duration, logger: Logger) {
    self.store = store
    self.refresh = refresh
    self.logger = logger
  }

  /// Events from now on, beginning with what is known. Ends with the feed, or when its reader goes away.
  func events() -> AsyncStream<Event> {
    // A slow reader gets the newest: what it missed is history.
    let (stream, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(8))
    let id = state.withLock { state -> Int? in
      guard !state.isOver else { return nil }
      state.next += 1
      state.watchers[state.next] = continuation
      for event in state.latest.values { continuation.yield(event) }
      if state.poll == nil { state.poll = Task { await poll() } }
      return state.next
    }
    guard let id else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in self?.leave(id) }
    return stream
  }

  /// Ends every stream.
  func end() {
    let watchers = state.withLock { state in
      state.isOver = true
      state.poll?.cancel()
      return state.watchers.values
    }
    for watcher in watchers { watcher.finish() }
  }

  private func leave(_ id: Int) {
    state.withLock { state in
      state.watchers[id] = nil
      guard state.watchers.isEmpty else { return }
      state.poll?.cancel()
      state.poll = nil
      state.latest = [:]
    }
  }

  private func poll() async {
    var turn = 0
    while !Task.isCancelled {
      do {
        publish(Event(name: "now", data: try await store.now()))
        // The last hour changes slowly and costs the database a tenth of a second.
        if turn % 5 == 0 { publish(Event(name: "hour", data: try await store.hour())) }
      } catch is CancellationError {
        return
      } catch {
        logger.warning("the dashboard cannot read", metadata: ["error": "\(error)"])
        publish(Event(name: "trouble", data: #"{"message":"the database does not answer"}"#))
      }
      turn += 1
      try? await Task.sleep(for: refresh)
    }
  }

  private func publish(_ event: Event) {
    state.withLock { state in
      guard !Task.isCancelled else { return }
      if event.name == "now" { state.latest["trouble"] = nil }
      state.latest[event.name] = event
      for watcher in state.watchers.values { watcher.yield(event) }
    }
  }
}
