/// How long to wait before the next attempt to connect: doubling, with jitter, so that a hundred workers do not hit a
/// database that has just come back at the same moment.
package struct ReconnectBackoff {
  package static let first: Duration = .milliseconds(100)
  package static let cap: Duration = .seconds(10)

  /// Failures since the last success.
  package private(set) var failures = 0

  package init() {}

  package mutating func succeeded() { failures = 0 }
  package mutating func failed() { failures += 1 }

  /// Zero without failures, else `first` × 2^(failures − 1), at most `cap`, times a random factor of ½ to 1.
  package func delay(using generator: inout some RandomNumberGenerator) -> Duration {
    guard failures > 0 else { return .zero }
    let full = min(Self.cap, Self.first * (1 << min(failures - 1, 16)))
    return full * Double.random(in: 0.5...1, using: &generator)
  }

  /// With the system's random numbers.
  package var delay: Duration {
    var generator = SystemRandomNumberGenerator()
    return delay(using: &generator)
  }
}
