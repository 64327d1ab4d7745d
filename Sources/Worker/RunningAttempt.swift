package import JobStore
package import Jobs
internal import Synchronization

/// An attempt that this worker runs: keeps its latest progress for the heartbeat, and carries the request to stop.
package final class RunningAttempt: JobProgressReporter {
  package let job: Job
  /// The registration it was claimed under. After a lost lease the process has a new one, but this stays.
  package let workerID: WorkerID
  package let started: ContinuousClock.Instant

  /// The latest that the handler said.
  package struct Progress: Sendable, Equatable {
    package var phase: String
    package var step: Int
    package var fraction: Double

    package init(phase: String, step: Int, fraction: Double) {
      self.phase = phase
      self.step = step
      self.fraction = fraction
    }
  }

  private struct State {
    var progress = Progress(phase: "claimed", step: 0, fraction: 0)
    var advanced: ContinuousClock.Instant
    var phaseStarted: ContinuousClock.Instant
    var stop: StopReason?
    var isHandlerRunning = true
  }

  private let state: Mutex<State>
  private let stopRequested = Wake()

  package init(job: Job, workerID: WorkerID, started: ContinuousClock.Instant = .now) {
    self.job = job
    self.workerID = workerID
    self.started = started
    state = Mutex(State(advanced: started, phaseStarted: started))
  }

  package func report(phase: String, step: Int, fraction: Double) {
    let now = ContinuousClock.now
    state.withLock { state in
      let new = Progress(phase: phase, step: step, fraction: fraction)
      // Only a change counts as progress: a hung kernel behind a busy reporting loop must not look alive.
      guard new != state.progress else { return }
      if new.phase != state.progress.phase { state.phaseStarted = now }
      state.progress = new
      state.advanced = now
    }
  }

  package var progress: Progress { state.withLock { $0.progress } }

  /// When the handler last got further, and in which phase; nil once it has returned.
  package var liveness: Liveness.Attempt? {
    state.withLock { state in
      guard state.isHandlerRunning else { return nil }
      return Liveness.Attempt(id: job.attemptID, phase: state.progress.phase, advanced: state.advanced)
    }
  }

  /// Asks the attempt to stop. The first reason stands, but a lost lease outweighs every other: it forbids to write.
  /// Without effect once the handler has returned.
  package func stop(_ reason: StopReason) {
    let isNew = state.withLock { state in
      guard state.isHandlerRunning, state.stop == nil || reason == .leaseLost else { return false }
      defer { state.stop = reason }
      return state.stop == nil
    }
    if isNew { stopRequested.ring() }
  }

  /// Returns once `stop` was called, or the surrounding task is cancelled.
  package func waitForStop() async { await stopRequested.wait() }

  /// The handler has returned; what was asked of it until now.
  package func handlerReturned() -> StopReason? {
    state.withLock { state in
      state.isHandlerRunning = false
      return state.stop
    }
  }
}
