/// Times of one thing, in seconds.
struct Samples: Sendable {
  private(set) var values: [Double] = []

  mutating func append(_ value: Double) { values.append(value) }

  /// The middle one, or between the two in the middle; 0 of none.
  var median: Double {
    let sorted = values.sorted()
    guard let last = sorted.indices.last else { return 0 }
    return (sorted[last / 2] + sorted[(last + 1) / 2]) / 2
  }

  /// Runs `body` and keeps its time.
  mutating func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
    let start = ContinuousClock.now
    let result = try body()
    append((ContinuousClock.now - start) / .seconds(1))
    return result
  }
}
