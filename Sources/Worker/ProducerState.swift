/// When to claim, as a value without a clock or a database: events in, the next action out.
package struct ProducerState: Sendable, Equatable {
  /// Why a worker ends by itself.
  package enum Ending: String, Sendable, Equatable {
    /// `--max-jobs` were taken and have ended.
    case maxJobs = "max_jobs"
    /// Nothing to do for `--idle-exit`.
    case idle
    /// It was asked to drain, and nothing runs any more.
    case drained
  }

  /// What to do now.
  package enum Action: Sendable, Equatable {
    /// Ask for up to so many jobs.
    case claim(limit: Int)
    /// Until an event or this instant; nil for an event only.
    case wait(until: ContinuousClock.Instant?)
    case end(Ending)
  }

  private let slots: Int
  private let maxJobs: Int?
  private let idleExit: Duration?
  private var running = 0
  private var taken = 0
  private var isDraining = false
  private var nextClaim: ContinuousClock.Instant
  private var idleSince: ContinuousClock.Instant?

  /// - Parameters:
  ///   - slots: how many jobs run at once.
  ///   - maxJobs: nil for no end.
  ///   - idleExit: nil for no end.
  ///   - now: when the worker became ready.
  package init(slots: Int, maxJobs: Int?, idleExit: Duration?, now: ContinuousClock.Instant) {
    self.slots = slots
    self.maxJobs = maxJobs
    self.idleExit = idleExit
    nextClaim = now
    idleSince = now
  }

  /// The next action.
  ///
  /// - Parameter holdsLease: without a lease nothing may be claimed, and being cut off is not being idle.
  package mutating func action(at now: ContinuousClock.Instant, holdsLease: Bool) -> Action {
    if isDraining { return running == 0 ? .end(.drained) : .wait(until: nil) }
    if taken == maxJobs { return running == 0 ? .end(.maxJobs) : .wait(until: nil) }
    let limit = min(slots - running, (maxJobs ?? .max) - taken)
    guard limit > 0 else { return .wait(until: nil) }
    guard holdsLease else {
      if running == 0 { idleSince = now }
      return .wait(until: nil)
    }
    let idleEnd = idleExit.flatMap { exit in idleSince.map { $0 + exit } }
    if now >= nextClaim { return .claim(limit: limit) }
    if let idleEnd, now >= idleEnd { return .end(.idle) }
    return .wait(until: min(nextClaim, idleEnd ?? nextClaim))
  }

  /// A claim was answered.
  ///
  /// - Parameter poll: how long to wait if there was less than asked for. A full claim asks again at once when a slot is
  ///   free: there may be more.
  package mutating func claimed(_ count: Int, of limit: Int, at now: ContinuousClock.Instant, poll: Duration) {
    running += count
    taken += count
    if count > 0 { idleSince = nil }
    nextClaim = count == limit ? now : now + poll
  }

  /// A claim failed; the same as an empty one, but for being no sign of idleness.
  package mutating func claimFailed(at now: ContinuousClock.Instant, poll: Duration) {
    nextClaim = now + poll
    if running == 0 { idleSince = now }
  }

  /// A job ended and its slot is free.
  package mutating func jobEnded(at now: ContinuousClock.Instant) {
    running -= 1
    if running == 0 { idleSince = now }
    nextClaim = min(nextClaim, now)
  }

  /// There may be work: a notification, or a new registration.
  package mutating func woken(at now: ContinuousClock.Instant) { nextClaim = min(nextClaim, now) }

  /// No more claims.
  package mutating func drain() { isDraining = true }

  /// How many jobs run.
  package var runningCount: Int { running }
}
