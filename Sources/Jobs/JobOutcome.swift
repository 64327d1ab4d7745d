/// How an attempt ended: a closed set, written by one statement (`JobStore.finish`).
public enum JobOutcome: Sendable, Equatable {
  /// The pictures are durable on disk.
  case succeeded(JobResult)
  /// Runs again while attempts are left and `error.isPermanent` is false.
  case failed(JobError)
  /// The user asked; terminal.
  case cancelled
  /// A draining worker gave the job back: ready at once, no attempt spent.
  case released
}

/// What a successful attempt made.
public struct JobResult: Sendable, Equatable {
  /// In seed order, `jobs.image_count` of them.
  public var images: [JobImage]
  /// For the user, kept on the job: the prompt was cut, say.
  public var warnings: [String]
  /// Seconds by phase, kept in `attempts.timings`.
  public var timings: [String: Double]

  /// What was made.
  public init(images: [JobImage], warnings: [String] = [], timings: [String: Double] = [:]) {
    self.images = images
    self.warnings = warnings
    self.timings = timings
  }
}

/// A row of `tintype.images`: a picture that is already durable.
public struct JobImage: Sendable, Equatable {
  /// From 0, in seed order.
  public var index: Int
  /// Relative to the output root; carries the job and the attempt.
  public var path: String
  /// `images.sha256`.
  public var sha256: [UInt8]
  /// File size.
  public var bytes: Int
  public var width: Int, height: Int
  /// `images.seed`.
  public var seed: Int64

  /// A picture that is durable.
  public init(index: Int, path: String, sha256: [UInt8], bytes: Int, width: Int, height: Int, seed: Int64) {
    self.index = index
    self.path = path
    self.sha256 = sha256
    self.bytes = bytes
    self.width = width
    self.height = height
    self.seed = seed
  }
}

/// Why an attempt failed, as `jobs.error` and `attempts.error` keep it.
public struct JobError: Error, Sendable, Equatable {
  /// Stable, machine-readable: `invalid_request`, `init_image_unreadable`, `model_unavailable`, `not_finite`,
  /// `timeout`, `out_of_disk`, `internal`, …
  public var code: String
  /// For a person: what is wrong, where, and what to do.
  public var message: String
  /// Trying again cannot help.
  public var isPermanent: Bool

  /// An error as it will be stored.
  public init(code: String, message: String, isPermanent: Bool) {
    self.code = code
    self.message = message
    self.isPermanent = isPermanent
  }
}
