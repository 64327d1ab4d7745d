internal import JobStore
internal import Synchronization

/// Under which id this process works, and how long it may believe in that.
final class Registration: Sendable {
  private struct State {
    var workerID: WorkerID?
    var clock = LeaseClock()
  }

  private let lease: Duration
  private let state = Mutex(State())

  init(lease: Duration) { self.lease = lease }

  /// Nil before the first registration, and between a lost lease and the next one.
  var workerID: WorkerID? { state.withLock { $0.workerID } }

  /// Past this the lease is lost unless a heartbeat is answered.
  var deadline: ContinuousClock.Instant? { state.withLock { $0.clock.deadline } }

  /// The id, if its lease still holds.
  func valid(at now: ContinuousClock.Instant) -> WorkerID? {
    state.withLock { $0.clock.isOver(at: now) ? nil : $0.workerID }
  }

  func began(_ workerID: WorkerID, sent: ContinuousClock.Instant) {
    state.withLock { state in
      state.workerID = workerID
      state.clock.acknowledged(sent: sent, lease: lease)
    }
  }

  /// A heartbeat was answered; without effect when the registration is another one by now.
  func acknowledged(_ workerID: WorkerID, sent: ContinuousClock.Instant) {
    state.withLock { state in
      if state.workerID == workerID { state.clock.acknowledged(sent: sent, lease: lease) }
    }
  }

  /// Ends a registration.
  ///
  /// - Returns: false when it had ended already.
  func lost(_ workerID: WorkerID) -> Bool {
    state.withLock { state in
      guard state.workerID == workerID else { return false }
      state.workerID = nil
      state.clock.reset()
      return true
    }
  }
}
