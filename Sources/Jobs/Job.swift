/// A claimed row of `tintype.jobs`, with the attempt that holds it. Values only: no I/O, no clock.
public struct Job: Sendable, Equatable {
  /// `jobs.id`.
  public var id: Int64
  /// `attempts.id` of this run: the fencing token. Every later write names it.
  public var attemptID: Int64
  /// Which run of the job this is, from 1.
  public var attemptNumber: Int
  /// `jobs.max_attempts`.
  public var maxAttempts: Int
  /// `jobs.queue`.
  public var queue: String
  /// Nil: whatever the worker's default is.
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
  public var strength: Double
  /// `jobs.seed`.
  public var seed: Int64
  /// `jobs.image_count`.
  public var imageCount: Int
  /// `jobs.init_image`.
  public var initImage: InitImage?
  /// Seconds the attempt may take; nil for no limit.
  public var timeout: Double?
  /// `jobs.metadata`, JSON text as stored.
  public var metadata: String

  /// Where an image-to-image job starts.
  public enum InitImage: Sendable, Equatable {
    /// `jobs.init_image`: a path under the worker's input root.
    case inputPath(String)
    /// `jobs.init_image_data`: an encoded PNG or JPEG.
    case data([UInt8])
    /// `jobs.init_job`: that job's first picture, a path under the output root, and its SHA-256.
    case artifact(path: String, sha256: [UInt8])
  }

  /// A job with the table's defaults for what is not given.
  public init(
    id: Int64, attemptID: Int64, attemptNumber: Int = 1, maxAttempts: Int = 3, queue: String = "default",
    model: String? = nil, prompt: String, negativePrompt: String? = nil, width: Int? = nil, height: Int? = nil,
    steps: Int = 1, guidanceScale: Double = 0, strength: Double = 1, seed: Int64, imageCount: Int = 1,
    initImage: InitImage? = nil, timeout: Double? = nil, metadata: String = "{}"
  ) {
    self.id = id
    self.attemptID = attemptID
    self.attemptNumber = attemptNumber
    self.maxAttempts = maxAttempts
    self.queue = queue
    self.model = model
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.width = width
    self.height = height
    self.steps = steps
    self.guidanceScale = guidanceScale
    self.strength = strength
    self.seed = seed
    self.imageCount = imageCount
    self.initImage = initImage
    self.timeout = timeout
    self.metadata = metadata
  }
}
