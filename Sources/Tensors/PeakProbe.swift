internal import KernelInterface

extension CPUDevice {
  /// Measures what the chosen instruction set can do at most: fused multiply-adds in registers, on the device's
  /// threads, for a moment. Rates of kernels are fractions of it when measured beside it in the same run, since the
  /// clock of a shared processor varies.
  ///
  /// - Parameters:
  ///   - threads: threads that work at once; nil means all of the device's.
  ///   - seconds: how long, about.
  /// - Returns: fp32 operations per second of all these threads together (a multiply-add is two).
  public func peakRate(threads: Int? = nil, seconds: Double = 0.1) -> Double {
    let workers = max(1, min(threads ?? pool.threads, pool.threads))
    let clock = ContinuousClock()
    // Short rounds until the time is up: the rate need not be known ahead. The best round counts, because a
    // disturbance only ever slows one down.
    let start = clock.now
    var best = 0.0
    repeat {
      let began = clock.now
      pool.run(count: workers) { _ in _ = kernels.multiplyAddProbe(rounds: 200_000) }
      let elapsed = (clock.now - began) / .seconds(1)
      let operations = 200_000 * 10 * 2 * kernels.lanes * workers
      best = max(best, Double(operations) / elapsed)
    } while (clock.now - start) / .seconds(1) < seconds
    return best
  }
}
