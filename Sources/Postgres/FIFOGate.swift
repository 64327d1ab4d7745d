import Synchronization

/// Lets one task through at a time, in the order in which they came. A task that is cancelled while it waits leaves the
/// line.
final class FIFOGate: Sendable {
  private struct State {
    var isTaken = false
    var nextTicket = 0
    /// Those who wait, oldest first.
    var line: [(ticket: Int, resume: @Sendable (Result<Void, any Error>) -> Void)] = []
  }
  private let state = Mutex(State())

  /// Waits for its turn. Every success is followed by one `leave()`.
  ///
  /// - Throws: `CancellationError`, and then the turn is not taken.
  nonisolated(nonsending) func enter() async throws {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        join(ticket, isCancellable: true) { continuation.resume(with: $0) }
      }
    } onCancel: {
      let resume = state.withLock { state in
        state.line.firstIndex { $0.ticket == ticket }.map { state.line.remove(at: $0).resume }
      }
      resume?(.failure(CancellationError()))
    }
  }

  /// Waits for its turn even in a cancelled task: for what must be done whatever happens.
  nonisolated(nonsending) func enterUninterrupted() async {
    await withCheckedContinuation { continuation in
      join(0, isCancellable: false) { _ in continuation.resume() }
    }
  }

  /// Resumes at once when nobody is inside.
  private func join(
    _ ticket: Int, isCancellable: Bool, resume: @escaping @Sendable (Result<Void, any Error>) -> Void
  ) {
    let decision: Result<Void, any Error>? = state.withLock { state in
      // Looked at under the lock: a cancellation after this finds the ticket in the line.
      if isCancellable, Task.isCancelled { return .failure(CancellationError()) }
      if !state.isTaken {
        state.isTaken = true
        return .success(())
      }
      state.line.append((ticket, resume))
      return nil
    }
    if let decision { resume(decision) }
  }

  /// Lets the next one in.
  func leave() {
    let resumeNext = state.withLock { state -> (@Sendable (Result<Void, any Error>) -> Void)? in
      guard !state.line.isEmpty else {
        state.isTaken = false
        return nil
      }
      return state.line.removeFirst().resume
    }
    resumeNext?(.success(()))
  }
}
