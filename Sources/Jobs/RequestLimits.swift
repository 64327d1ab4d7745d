/// The legal values of a request: the numbers of the trigger in `Migrations/V0002__requests.sql`, for programs that
/// check a request without a database. A test asks both about the edges of every range.
public enum RequestLimits {
  /// UTF-8 bytes of `prompt` and of `negative_prompt`.
  public static let textBytes = 0...16384
  /// `width` and `height`, in pixels.
  public static let side = 8...4096
  /// `width` and `height` are multiples of this: the VAE's factor.
  public static let sideMultiple = 8
  /// `steps`.
  public static let steps = 1...50
  /// `strength`.
  public static let strength = 0.0...1.0
  /// `guidance_scale`.
  public static let guidanceScale = 0.0...50.0
  /// `image_count`.
  public static let imageCount = 1...64
  /// `priority`.
  public static let priority = -1000...1000
  /// `max_attempts`.
  public static let maxAttempts = 1...100
  /// `timeout`, in seconds.
  public static let timeout = 1.0...604_800.0
  /// Size of `init_image_data`: 16 MiB.
  public static let initImageBytes = 1...16_777_216
  /// UTF-8 bytes of `init_image`.
  public static let initImagePathBytes = 1...1024
  /// Unicode scalars of `idempotency_key`.
  public static let idempotencyKeyLength = 1...200
  /// Unicode scalars of `tenant` and of `concurrency_key`.
  public static let labelLength = 1...200
  /// Characters of a model's name.
  public static let modelNameLength = 1...200
}

/// Why a request can never run. The message is the one that the table gives.
public struct RequestProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// The column of `tintype.jobs`.
  public var column: String
  /// Names the column, the legal values and what was given.
  public var message: String

  init(_ column: String, must legal: String, got: String) {
    self.column = column
    message = "\(column) must be \(legal); got \(got)"
  }

  /// The message.
  public var description: String { message }
}
