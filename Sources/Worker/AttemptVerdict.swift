package import Jobs

/// Why a running attempt was told to stop.
package enum StopReason: String, Sendable, CaseIterable {
  /// The user cancelled the job.
  case cancelled
  /// `jobs.timeout` is over.
  case deadline
  /// It made no progress for longer than its phase may take.
  case stalled
  /// The worker leaves.
  case drained
  /// The attempt is no longer ours; somebody else may already run the job.
  case leaseLost
}

/// What becomes of an attempt whose handler has returned: the one place where a job's fate is decided.
package enum AttemptVerdict: Sendable, Equatable {
  /// Write this outcome.
  case finish(JobOutcome)
  /// Write nothing; remove the pictures, if there are some.
  case drop(JobResult?)

  /// Judges a handler's end.
  ///
  /// - Parameters:
  ///   - end: what the handler returned or threw.
  ///   - stop: why it was told to stop, if it was.
  ///   - timeout: the attempt's limit in seconds, for the message.
  package init(_ end: Result<JobResult, any Error>, stop: StopReason?, timeout: Double?) {
    switch (end, stop) {
    case (.success(let result), .leaseLost): self = .drop(result)
    case (.failure, .leaseLost): self = .drop(nil)
    // Finished before it noticed: the pictures are there, so they count, also when the deadline or a cancel came last.
    case (.success(let result), _): self = .finish(.succeeded(result))
    // The user no longer wants it; that it failed on the way out does not matter.
    case (.failure, .cancelled): self = .finish(.cancelled)
    case (.failure(let error), let stop):
      switch (error, stop) {
      // A real failure is recorded as such even if the stop came first: the next attempt would meet it too.
      case (let error as JobError, _): self = .finish(.failed(error))
      case (is CancellationError, .deadline):
        self = .finish(
          .failed(
            JobError(
              code: "timeout",
              message:
                "the attempt took longer than its timeout of \(timeout ?? 0) s. Raise jobs.timeout, ask for a smaller "
                + "picture or fewer steps, or run a faster worker.", isPermanent: false)))
      case (is CancellationError, .stalled): self = .finish(.failed(.stalled))
      // Without a reason the whole service was cancelled, which is a drain in a hurry.
      case (is CancellationError, _): self = .finish(.released)
      default:
        self = .finish(.failed(JobError(code: "internal", message: "\(error)", isPermanent: false)))
      }
    }
  }
}

extension JobError {
  /// What becomes of an attempt that hangs. Another worker may have more luck: a hung device is not the job's fault.
  package static let stalled = JobError(
    code: "stalled",
    message:
      "the attempt made no progress for longer than its phase may take (see the worker's log), so it was stopped",
    isPermanent: false)
}
