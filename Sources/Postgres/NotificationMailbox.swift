import Synchronization

/// The notifications that nobody has read yet. Bounded, and equal ones count once: they only say "look again", and a
/// reader that is busy for an hour must not cost an hour's worth of memory.
final class NotificationMailbox: Sendable {
  /// Beyond this many, the oldest are dropped.
  static let capacity = 256

  private struct State {
    var pending: [PostgresNotification] = []
    var isFinished = false
    var nextTicket = 0
    var readers: [(ticket: Int, continuation: CheckedContinuation<PostgresNotification?, Never>)] = []
  }
  private let state = Mutex(State())

  /// Adds a notification, or hands it to a reader that waits.
  func put(_ notification: PostgresNotification) {
    let reader = state.withLock { state -> CheckedContinuation<PostgresNotification?, Never>? in
      guard !state.isFinished else { return nil }
      if !state.readers.isEmpty { return state.readers.removeFirst().continuation }
      guard !state.pending.contains(notification) else { return nil }
      if state.pending.count == Self.capacity { state.pending.removeFirst() }
      state.pending.append(notification)
      return nil
    }
    reader?.resume(returning: notification)
  }

  /// No more will come: readers get what is left, then nil.
  func finish() {
    let readers = state.withLock { state in
      state.isFinished = true
      defer { state.readers = [] }
      return state.readers
    }
    for reader in readers { reader.continuation.resume(returning: nil) }
  }

  /// The oldest unread notification; waits for one. Nil at the end or when the task is cancelled.
  func next() async -> PostgresNotification? {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let decision: PostgresNotification?? = state.withLock { state in
          if Task.isCancelled { return .some(nil) }
          if !state.pending.isEmpty { return state.pending.removeFirst() }
          if state.isFinished { return .some(nil) }
          state.readers.append((ticket, continuation))
          return nil
        }
        if let decision { continuation.resume(returning: decision) }
      }
    } onCancel: {
      let reader = state.withLock { state in
        state.readers.firstIndex { $0.ticket == ticket }.map { state.readers.remove(at: $0).continuation }
      }
      reader?.resume(returning: nil)
    }
  }
}
