/// When this process must stop believing in its lease.
///
/// The database decides when a lease ends, by its own clock, counted from when it handled the heartbeat. This side counts
/// from when the heartbeat was *sent*, which is earlier, and only four fifths of the lease; so it has stopped writing
/// before anyone else may start, however long the reply took and whatever the two clocks show. The clock goes on while
/// the machine sleeps, as `ContinuousClock` does.
package struct LeaseClock: Sendable, Equatable {
  /// The share of the lease that this side relies on.
  package static let margin = 0.8

  /// Past this, running attempts stop and nothing is written. Nil before the first lease.
  package private(set) var deadline: ContinuousClock.Instant?

  package init() {}

  /// A heartbeat, or the registration, was answered.
  ///
  /// - Parameters:
  ///   - sent: when the request left, not when the answer came.
  ///   - lease: how long the database grants.
  package mutating func acknowledged(sent: ContinuousClock.Instant, lease: Duration) {
    let granted = sent + lease * Self.margin
    // Answers may overtake each other across a reconnect; an older one never shortens what a newer one granted.
    deadline = max(deadline ?? granted, granted)
  }

  /// The lease is over or was never granted.
  package func isOver(at now: ContinuousClock.Instant) -> Bool { deadline.map { now >= $0 } ?? true }

  /// The lease was lost; a new registration starts over.
  package mutating func reset() { deadline = nil }
}

extension Duration {
  /// This much, more or less: evenly spread over ± `fraction`, so that a hundred workers do not ask in step.
  package func jittered(_ fraction: Double = 0.2) -> Duration {
    self * Double.random(in: (1 - fraction)...(1 + fraction))
  }

  /// In seconds, for logs.
  package var seconds: Double { self / .seconds(1) }
}
