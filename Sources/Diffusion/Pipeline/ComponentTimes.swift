/// Seconds that each component of the model has taken so far.
struct ComponentTimes {
  /// By component: `text`, `vae_encode`, `unet`, `vae_decode`.
  private(set) var seconds: [String: Double] = [:]

  /// Takes a component out that did nothing.
  mutating func forget(_ component: String) { seconds[component] = nil }

  /// Adds time that a component took.
  mutating func add(_ duration: Duration, to component: String) {
    seconds[component, default: 0] += duration / .seconds(1)
  }

  /// Runs `body` and adds its time to `component`'s.
  mutating func measure<R>(_ component: String, _ body: () throws -> R) rethrows -> R {
    let start = ContinuousClock.now
    let result = try body()
    add(ContinuousClock.now - start, to: component)
    return result
  }
}
