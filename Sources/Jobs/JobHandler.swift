/// Does a job's work. Throws `JobError` for a known failure and `CancellationError` when told to stop; any other
/// error counts as a retryable `internal` failure. The task is cancelled when the attempt must stop (user cancel,
/// deadline, drain, lost lease); the handler notices within one block of the network.
public typealias JobHandler = @Sendable (Job, any JobProgressReporter) async throws -> JobResult

/// Receives a running job's progress; cheap, callable from any thread, keeps only the latest.
public protocol JobProgressReporter: Sendable {
  /// - Parameters:
  ///   - phase: `load_model`, `fetch_init`, `encode_text`, `encode_image`, `denoise`, `decode` or `write`.
  ///   - step: denoising steps begun.
  ///   - fraction: share of the whole job's work done, 0…1.
  func report(phase: String, step: Int, fraction: Double)
}
