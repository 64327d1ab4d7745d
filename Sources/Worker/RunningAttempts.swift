package import JobStore
internal import Jobs
internal import Synchronization

/// The attempts that this worker runs now; shared by whoever starts, reports and stops them.
package final class RunningAttempts: Sendable {
  private let attempts = Mutex<[Int64: RunningAttempt]>([:])

  package init() {}

  /// Running attempts, oldest attempt id first.
  package var all: [RunningAttempt] {
    attempts.withLock { $0.values.sorted { $0.job.attemptID < $1.job.attemptID } }
  }

  package func insert(_ attempt: RunningAttempt) { attempts.withLock { $0[attempt.job.attemptID] = attempt } }

  package func remove(_ attempt: RunningAttempt) {
    attempts.withLock { _ = $0.removeValue(forKey: attempt.job.attemptID) }
  }

  /// Stops some attempts by id; those that have ended meanwhile are passed over.
  package func stop(_ ids: some Sequence<Int64>, _ reason: StopReason) {
    for attempt in attempts.withLock({ attempts in ids.compactMap { attempts[$0] } }) { attempt.stop(reason) }
  }

  package func stopAll(_ reason: StopReason) {
    for attempt in all { attempt.stop(reason) }
  }

  /// Stops what was claimed under a registration that is gone.
  package func stopAll(of workerID: WorkerID, _ reason: StopReason) {
    for attempt in all where attempt.workerID == workerID { attempt.stop(reason) }
  }
}
