public import Jobs

/// A row of `tintype.jobs` as its submitter sees it, with the progress of its attempt. Times are ISO 8601, UTC.
public struct JobRecord: Sendable, Equatable, Encodable {
  public var id: Int64
  public var state: JobState
  public var queue: String
  public var model: String?
  public var prompt: String
  public var negativePrompt: String?
  public var width: Int?, height: Int?
  public var steps: Int
  public var guidanceScale: Double
  public var strength: Double?
  public var initImage: String?
  /// Size of `init_image_data`.
  public var initImageBytes: Int?
  public var initJob: Int64?
  public var seed: Int64
  public var imageCount: Int
  public var priority: Int
  public var maxAttempts: Int
  /// Seconds.
  public var timeout: Double?
  public var idempotencyKey: String?
  public var metadata: String
  public var attemptID: Int64?
  public var failures: Int, losses: Int
  public var errorCode: String?
  public var error: String?
  public var warnings: [String]
  public var submittedBy: String
  public var createdAt: String, runAt: String
  public var startedAt: String?, finishedAt: String?
  /// Of the attempt that holds it or ended it.
  public var phase: String?
  public var step: Int?
  /// 0…1.
  public var progress: Double?
}

/// A row of `tintype.attempts`.
public struct AttemptRecord: Sendable, Equatable, Encodable {
  public var id: Int64
  public var workerID: Int64
  public var number: Int
  public var phase: String?
  public var step: Int?
  public var progress: Double?
  public var cancelRequested: Bool
  /// Nil while it runs.
  public var outcome: String?
  public var errorCode: String?
  public var error: String?
  /// JSON text: seconds by phase.
  public var timings: String?
  public var startedAt: String
  public var finishedAt: String?
}

/// All there is about a job.
public struct JobDetails: Sendable, Equatable {
  public var job: JobRecord
  /// Oldest first.
  public var attempts: [AttemptRecord]
  /// In seed order.
  public var images: [JobImage]
}

/// Which jobs to list.
public struct JobFilter: Sendable, Equatable {
  /// Nil for every state.
  public var states: [JobState]?
  /// Nil for every queue.
  public var queue: String?
  /// At most so many, the newest.
  public var limit: Int

  /// Everything, the newest twenty.
  public init(states: [JobState]? = nil, queue: String? = nil, limit: Int = 20) {
    self.states = states
    self.queue = queue
    self.limit = limit
  }
}
