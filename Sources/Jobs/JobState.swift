/// Where a job stands: `jobs.state`. `Docs/job-states.md` draws the whole picture.
public enum JobState: String, Sendable, Hashable, CaseIterable, Codable {
  /// Waits for its time, `run_at`. Can become: ready, failed at its deadline, cancelled; or wait otherwise when its
  /// request is changed.
  case scheduled
  /// Waits for another job, `init_job`, to make the picture that it starts from.
  /// Can become: scheduled, ready, failed (with the other job, or at its deadline), cancelled.
  case blocked
  /// Waits for a worker. Can become: running, failed at its deadline, cancelled; or wait otherwise when its request is
  /// changed.
  case ready
  /// A worker holds it, by an attempt. Can become: any terminal state; ready when the worker gives it back or is lost;
  /// scheduled when it failed and is to be tried again.
  case running
  /// Its pictures exist. Final.
  case succeeded
  /// It is not tried again. Final but for `retry`.
  case failed
  /// Someone did not want it any more. Final but for `retry`.
  case cancelled

  /// Nobody works on it yet; its request can still be changed.
  public var isWaiting: Bool {
    switch self {
    case .scheduled, .blocked, .ready: true
    case .running, .succeeded, .failed, .cancelled: false
    }
  }

  /// Nothing happens to it any more, unless it is retried.
  public var isTerminal: Bool {
    switch self {
    case .succeeded, .failed, .cancelled: true
    case .scheduled, .blocked, .ready, .running: false
    }
  }
}
