/// What a submitter asks for: the submitter's columns of `tintype.jobs`. Nil leaves a value to the table's default.
public struct JobRequest: Sendable, Equatable {
  /// `jobs.prompt`.
  public var prompt: String
  /// `jobs.negative_prompt`.
  public var negativePrompt: String?
  /// `jobs.model`.
  public var model: String?
  public var width: Int?, height: Int?
  /// `jobs.steps`.
  public var steps: Int?
  /// `jobs.guidance_scale`.
  public var guidanceScale: Double?
  /// `jobs.strength`.
  public var strength: Double?
  /// A path under the worker's input root.
  public var initImage: String?
  /// A PNG or JPEG file.
  public var initImageData: [UInt8]?
  /// An earlier job.
  public var initJob: Int64?
  /// `jobs.seed`.
  public var seed: Int64?
  /// `jobs.image_count`.
  public var imageCount: Int?
  /// `jobs.queue`.
  public var queue: String?
  /// `jobs.priority`.
  public var priority: Int?
  /// A time as PostgreSQL reads it: `2031-05-01 12:00+02`, `tomorrow`.
  public var runAt: String?
  /// `jobs.max_attempts`.
  public var maxAttempts: Int?
  /// Seconds that one attempt may take.
  public var timeout: Double?
  /// `jobs.idempotency_key`.
  public var idempotencyKey: String?
  /// JSON text of an object.
  public var metadata: String?
  /// For whom: tenants get equal shares.
  public var tenant: String?
  /// `jobs.concurrency_key`.
  public var concurrencyKey: String?
  /// A time as PostgreSQL reads it, after which the job is of no use.
  public var deadline: String?

  /// A request that leaves everything else to the table's defaults.
  public init(prompt: String) { self.prompt = prompt }
}
