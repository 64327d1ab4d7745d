internal import Jobs
internal import Synchronization

/// How many attempts have ended, and how.
final class JobTally: Sendable {
  private let counts = Mutex((succeeded: 0, failed: 0, other: 0))
  private let metrics: WorkerMetrics?

  init(metrics: WorkerMetrics?) { self.metrics = metrics }

  func outcomeDropped() { metrics?.outcomeDropped() }

  func ended(_ outcome: JobOutcome, after duration: Duration) {
    metrics?.ended(outcome, after: duration)
    counts.withLock { counts in
      switch outcome {
      case .succeeded: counts.succeeded += 1
      case .failed: counts.failed += 1
      case .cancelled, .released: counts.other += 1
      }
    }
  }

  var current: (succeeded: Int, failed: Int, other: Int) { counts.withLock { $0 } }
}

/// What a worker does at one moment: systemd's status line, and the log's.
public struct WorkerStatus: Sendable, Equatable, CustomStringConvertible {
  /// In order of severity.
  public enum Condition: String, Sendable {
    case loading = "loading models"
    case working
    case draining
    case cutOff = "cut off from the database"
  }

  /// A running attempt, without its prompt.
  public struct Attempt: Sendable, Equatable {
    /// `jobs.id` and `attempts.id`.
    public var job: Int64, attempt: Int64
    /// Where it is.
    public var phase: String
    /// Share of its work, 0…1.
    public var fraction: Double

    package init(job: Int64, attempt: Int64, phase: String, fraction: Double) {
      self.job = job
      self.attempt = attempt
      self.phase = phase
      self.fraction = fraction
    }
  }

  /// What it is up to in general.
  public var condition: Condition
  /// What runs.
  public var attempts: [Attempt]
  /// Attempts that ended since the start.
  public var succeeded: Int, failed: Int
  /// Why there is no connection to the database; nil while there is one.
  public var trouble: String?

  package init(condition: Condition, attempts: [Attempt], succeeded: Int, failed: Int, trouble: String? = nil) {
    self.condition = condition
    self.attempts = attempts
    self.succeeded = succeeded
    self.failed = failed
    self.trouble = trouble
  }

  /// One line: `job 812 attempt 4711 denoise 45 %; 1432 done, 3 failed`.
  public var description: String {
    let running = attempts.map { attempt in
      "job \(attempt.job) attempt \(attempt.attempt) \(attempt.phase) \(Int((attempt.fraction * 100).rounded())) %"
    }
    let work = running.isEmpty ? (condition == .working ? ["idle"] : []) : running
    let head = (condition == .working ? [] : [condition.rawValue]) + work
    return head.joined(separator: ", ") + "; \(succeeded) done, \(failed) failed" + (trouble.map { "; \($0)" } ?? "")
  }
}
