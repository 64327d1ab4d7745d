/// Seconds that each component of the model has taken so far.
struct ComponentTimes {
  /// By component: `text`, `vae_encode`, `unet`, `vae_decode`.
  private(set) var seconds: [String: Double] = [:]

  /// Takes a component out that did nothing.
  mutating func forget(_ component: String) { seconds[component] = nil }

  /// Runs `body` and adds its time to `component`'s.
  mutating func measure<R>(_ component: String, _ body: () throws -> R) rethrows -> R {
    let clock = ContinuousClock()
    let start = clock.now
    let result = try body()
    seconds[component, default: 0] += (clock.now - start) / .seconds(1)
    return result
  }
}
