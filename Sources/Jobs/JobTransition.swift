/// What can happen to a job.
public enum JobEvent: Sendable, Hashable {
  /// `run_at` has come.
  case due
  /// The job that it starts from has made its picture; `isDue`: `run_at` has come, too.
  case initJobSucceeded(isDue: Bool)
  /// The job that it starts from will make no picture.
  case initJobEnded
  /// The submitter changed the request, which now waits for this.
  case requestChanged(JobWait)
  /// Its `deadline` has come while it waited.
  case deadlinePassed
  /// A worker took it.
  case claimed
  /// The attempt that holds it has ended.
  case attemptEnded(AttemptOutcome, cancelRequested: Bool, isLast: Bool)
  /// Someone wants it stopped.
  case cancelRequested
  /// Someone wants it tried again, and it waits for this.
  case retried(JobWait)
}

/// What a job waits for.
public enum JobWait: Sendable, Hashable, CaseIterable {
  case time, initJob, worker

  /// The state of a job that waits for this.
  public var state: JobState {
    switch self {
    case .time: .scheduled
    case .initJob: .blocked
    case .worker: .ready
    }
  }
}

/// How an attempt ended: `attempts.outcome`.
public enum AttemptOutcome: Sendable, Hashable {
  case succeeded
  /// Permanent: trying again cannot help.
  case failed(isPermanent: Bool)
  /// The worker stopped because it was asked to.
  case cancelled
  /// The worker gave the job back.
  case released
  /// The worker vanished.
  case lost
  /// The worker did not stop at the deadline.
  case timedOut
}

/// An event that cannot happen in a state.
public struct JobTransitionRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  /// The state that stays as it is.
  public var state: JobState
  /// What was tried.
  public var event: JobEvent

  /// A refusal of `event` in `state`.
  public init(state: JobState, event: JobEvent) {
    self.state = state
    self.event = event
  }

  /// For a person.
  public var description: String {
    "A \(state.rawValue) job does not take the event \(event); it stays \(state.rawValue)."
  }
}

extension JobState {
  /// The state after an event: the whole life of a job as a pure function.
  ///
  /// The database decides; this says what it must decide, and tests hold the two together. `isLast` in `attemptEnded`
  /// means that this failure was the last of `max_attempts`, or this loss the last of the queue's `max_losses`.
  ///
  /// - Throws: `JobTransitionRefusal`; the state is unchanged.
  public func after(_ event: JobEvent) throws(JobTransitionRefusal) -> JobState {
    switch (self, event) {
    case (.scheduled, .due): return .ready
    case (.blocked, .initJobSucceeded(let isDue)): return isDue ? .ready : .scheduled
    case (.blocked, .initJobEnded): return .failed
    case (.scheduled, .requestChanged(let wait)), (.blocked, .requestChanged(let wait)),
      (.ready, .requestChanged(let wait)):
      return wait.state
    case (.scheduled, .deadlinePassed), (.blocked, .deadlinePassed), (.ready, .deadlinePassed): return .failed
    case (.ready, .claimed): return .running
    case (.running, .attemptEnded(let outcome, let cancelRequested, let isLast)):
      return outcome.fate(cancelRequested: cancelRequested, isLast: isLast)
    case (.scheduled, .cancelRequested), (.blocked, .cancelRequested), (.ready, .cancelRequested): return .cancelled
    // The worker is told; it answers by ending the attempt.
    case (.running, .cancelRequested): return .running
    // Too late is not an error: the caller wanted it to end, and it has.
    case (.succeeded, .cancelRequested), (.failed, .cancelRequested), (.cancelled, .cancelRequested): return self
    case (.failed, .retried(let wait)), (.cancelled, .retried(let wait)): return wait.state
    default: throw JobTransitionRefusal(state: self, event: event)
    }
  }
}

extension AttemptOutcome {
  /// What becomes of the job.
  func fate(cancelRequested: Bool, isLast: Bool) -> JobState {
    switch self {
    // Also when a cancel came too late: the pictures exist.
    case .succeeded: .succeeded
    case .cancelled: .cancelled
    case _ where cancelRequested: .cancelled
    case .released: .ready
    // Not the job's fault, until it has happened too often.
    case .lost: isLast ? .failed : .ready
    case .timedOut, .failed(isPermanent: false): isLast ? .failed : .scheduled
    case .failed(isPermanent: true): .failed
    }
  }
}
