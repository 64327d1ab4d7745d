/// What a submitter asks for: the submitter's columns of `tintype.jobs`. Nil leaves a value to the table's default.
public struct JobRequest: Sendable, Equatable {
  public var prompt: String
  public var negativePrompt: String?
  public var model: String?
  public var width: Int?, height: Int?
  public var steps: Int?
  public var guidanceScale: Double?
  public var strength: Double?
  /// A path under the worker's input root.
  public var initImage: String?
  /// A PNG or JPEG file.
  public var initImageData: [UInt8]?
  /// An earlier job.
  public var initJob: Int64?
  public var seed: Int64?
  public var imageCount: Int?
  public var queue: String?
  public var priority: Int?
  /// A time as PostgreSQL reads it: `2031-05-01 12:00+02`, `tomorrow`.
  public var runAt: String?
  public var maxAttempts: Int?
  /// Seconds that one attempt may take.
  public var timeout: Double?
  public var idempotencyKey: String?
  /// JSON text of an object.
  public var metadata: String?

  /// A request that leaves everything else to the table's defaults.
  public init(prompt: String) { self.prompt = prompt }
}
