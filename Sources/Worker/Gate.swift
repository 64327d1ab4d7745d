internal import Synchronization

/// Something that happens once; any number of tasks may wait for it.
package final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var nextTicket = 0
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
  }

  private let state = Mutex(State())

  package init() {}

  package var isOpen: Bool { state.withLock { $0.isOpen } }

  /// Lets everyone through, now and from now on.
  package func open() {
    let waiters = state.withLock { state in
      state.isOpen = true
      defer { state.waiters = [:] }
      return state.waiters.values
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Waits until it is open, at most so long; returns at once when the task is cancelled.
  package func wait(atMost limit: Duration? = nil) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.waitUntilOpen() }
      if let limit { group.addTask { try? await Task.sleep(for: limit) } }
      await group.next()
      group.cancelAll()
    }
  }

  private func waitUntilOpen() async {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let mayGoOn = state.withLock { state in
          // The cancellation handler may have run already, and found nobody to resume.
          if state.isOpen || Task.isCancelled { return true }
          state.waiters[ticket] = continuation
          return false
        }
        if mayGoOn { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
    }
  }
}
