public import Jobs

/// A row of `tintype.jobs` as its submitter sees it, with the progress of its attempt. Times are ISO 8601, UTC.
public struct JobRecord: Sendable, Equatable, Encodable {
  /// `jobs.id`.
  public var id: Int64
  /// `jobs.state`.
  public var state: JobState
  /// `jobs.queue`.
  public var queue: String
  /// `jobs.model`.
  public var model: String?
  /// `jobs.prompt`.
  public var prompt: String
  /// `jobs.negative_prompt`.
  public var negativePrompt: String?
  public var width: Int?, height: Int?
  /// `jobs.steps`.
  public var steps: Int
  /// `jobs.guidance_scale`.
  public var guidanceScale: Double
  /// `jobs.strength`.
  public var strength: Double?
  /// `jobs.init_image`.
  public var initImage: String?
  /// Size of `init_image_data`.
  public var initImageBytes: Int?
  /// `jobs.init_job`.
  public var initJob: Int64?
  /// `jobs.seed`.
  public var seed: Int64
  /// `jobs.image_count`.
  public var imageCount: Int
  /// `jobs.priority`.
  public var priority: Int
  /// `jobs.max_attempts`.
  public var maxAttempts: Int
  /// Seconds.
  public var timeout: Double?
  /// `jobs.idempotency_key`.
  public var idempotencyKey: String?
  /// `jobs.metadata`.
  public var metadata: JSONText
  /// `jobs.tenant`.
  public var tenant: String?
  /// `jobs.concurrency_key`.
  public var concurrencyKey: String?
  /// `jobs.deadline`.
  public var deadline: String?
  /// `jobs.attempt_id`.
  public var attemptID: Int64?
  public var failures: Int, losses: Int
  /// `jobs.error_code`.
  public var errorCode: String?
  /// `jobs.error`.
  public var error: String?
  /// `jobs.warnings`.
  public var warnings: [String]
  /// `jobs.submitted_by`.
  public var submittedBy: String
  public var createdAt: String, runAt: String
  public var startedAt: String?, finishedAt: String?
  /// Of the attempt that holds it or ended it.
  public var phase: String?
  /// `jobs.step`.
  public var step: Int?
  /// 0…1.
  public var progress: Double?
  /// What must happen before it runs, in words (`job_status.waiting_for`); nil when nothing must, and for a role that may not
  /// read the view.
  public var waitingFor: String?
}

/// A row of `tintype.attempts`.
public struct AttemptRecord: Sendable, Equatable, Encodable {
  /// `attempts.id`.
  public var id: Int64
  /// `attempts.worker_id`.
  public var workerID: Int64
  /// `attempts.number`.
  public var number: Int
  /// `attempts.phase`.
  public var phase: String?
  /// `attempts.step`.
  public var step: Int?
  /// `attempts.progress`.
  public var progress: Double?
  /// `attempts.cancel_requested_at`.
  public var cancelRequested: Bool
  /// Nil while it runs.
  public var outcome: String?
  /// `attempts.error_code`.
  public var errorCode: String?
  /// `attempts.error`.
  public var error: String?
  /// `attempts.timings`: an object of seconds by phase.
  public var timings: JSONText?
  /// `attempts.started_at`.
  public var startedAt: String
  /// `attempts.finished_at`.
  public var finishedAt: String?
}

/// All there is about a job.
public struct JobDetails: Sendable, Equatable {
  /// Its row.
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
