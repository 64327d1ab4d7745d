internal import Synchronization

/// A bell with memory for one ring: rings while nobody waits are kept as one, so none is lost and a thousand cost one look.
///
/// An `AsyncStream` cannot do this: when a wait for its next element is cancelled, as every timed wait here is, the whole
/// stream ends.
package final class Wake: Sendable {
  private enum State {
    case silent
    case rung
    case waiting(CheckedContinuation<Void, Never>)
  }

  private let state = Mutex(State.silent)

  package init() {}

  /// Ends the current wait, or the next one.
  package func ring() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard case .waiting(let waiter) = state else {
        state = .rung
        return nil
      }
      state = .silent
      return waiter
    }
    waiter?.resume()
  }

  /// Waits for a ring, at most until `deadline`; returns at once when the task is cancelled. One waiter at a time.
  package func wait(until deadline: ContinuousClock.Instant? = nil) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.waitForRing() }
      if let deadline { group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) } }
      await group.next()
      group.cancelAll()
    }
  }

  /// Waits for a ring, at most so long.
  package func wait(for duration: Duration) async { await wait(until: .now + duration) }

  private func waitForRing() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let mayGoOn = state.withLock { state in
          switch state {
          case .rung:
            state = .silent
            return true
          case .silent:
            // The cancellation handler may have run already, and found nobody to resume.
            if Task.isCancelled { return true }
            state = .waiting(continuation)
            return false
          case .waiting: preconditionFailure("two tasks wait on one bell: only one of them would hear it")
          }
        }
        if mayGoOn { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
        guard case .waiting(let waiter) = state else { return nil }
        state = .silent
        return waiter
      }
      waiter?.resume()
    }
  }
}
