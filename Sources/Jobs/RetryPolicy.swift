/// How long a failed job waits for its next attempt: `queues.retry_base` and `queues.retry_cap`.
///
/// The database computes the same in `tintype.retry_delay`, because the clock is its own; tests hold the two together.
public struct RetryPolicy: Sendable, Hashable {
  /// Wait after the first failure, before jitter.
  public var base: Duration
  /// The longest wait.
  public var cap: Duration

  /// A queue's defaults.
  public init(base: Duration = .seconds(5), cap: Duration = .seconds(600)) {
    self.base = base
    self.cap = cap
  }

  /// `min(cap, base · 2^(failures-1)) · (1/2 + jitter/2)`.
  ///
  /// Half of it is random: jobs that failed together, because a disk was full, must not come back together.
  ///
  /// - Parameters:
  ///   - failures: how often the job has failed, from 1.
  ///   - jitter: 0…1, uniformly random in use.
  public func delay(afterFailures failures: Int, jitter: Double) -> Duration {
    // Beyond 2^40 every base has met its cap; without the limit the power would overflow to infinity.
    let doublings = Double(sign: .plus, exponent: max(0, min(failures - 1, 40)), significand: 1)
    return .seconds(min(cap / .seconds(1), base / .seconds(1) * doublings) * (0.5 + 0.5 * jitter))
  }
}
