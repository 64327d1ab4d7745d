/// Whether this process deserves to live: what feeds systemd's watchdog.
///
/// A watchdog fed by a bare timer proves that the timer works. This one asks for progress: the heartbeat's loop turns (also
/// when it only fails to reach the database, which a restart would not mend), and each attempt got further within what its
/// phase may take at most between two signs of life.
public struct Liveness: Sendable, Equatable {
  /// A running handler's last sign of life.
  package struct Attempt: Sendable, Equatable {
    package var id: Int64
    package var phase: String
    package var advanced: ContinuousClock.Instant

    package init(id: Int64, phase: String, advanced: ContinuousClock.Instant) {
      self.id = id
      self.phase = phase
      self.advanced = advanced
    }
  }

  /// Longest silence of the heartbeat's loop.
  public var heartbeatBudget: Duration
  /// Longest silence of a handler, by phase.
  public var phaseBudgets: [String: Duration]
  /// Longest silence of a handler in a phase that has no budget of its own.
  public var defaultBudget: Duration

  /// Budgets between two reports, not for a whole phase: the network reports after every block. The longest block, a
  /// full-size UNet's at 2048 × 2048 on two cores, takes tens of seconds; reading a checkpoint from a slow network disk
  /// and waiting for another slot's model take minutes.
  public init(
    heartbeatBudget: Duration = .seconds(60),
    phaseBudgets: [String: Duration] = [
      "load_model": .seconds(900), "fetch_init": .seconds(300), "write": .seconds(300),
    ],
    defaultBudget: Duration = .seconds(300)
  ) {
    self.heartbeatBudget = heartbeatBudget
    self.phaseBudgets = phaseBudgets
    self.defaultBudget = defaultBudget
  }

  /// How often it is worth looking.
  var shortestBudget: Duration { phaseBudgets.values.reduce(min(defaultBudget, heartbeatBudget), min) }

  /// Nil when all is well, else what has hung, for the log: the watchdog is not fed then.
  package func stall(
    heartbeat: ContinuousClock.Instant, attempts: [Attempt], at now: ContinuousClock.Instant
  ) -> String? {
    if now - heartbeat > heartbeatBudget {
      return "the heartbeat loop has not turned for \(Int((now - heartbeat).seconds)) s"
    }
    guard let attempt = stalled(attempts, at: now).first else { return nil }
    return
      "attempt \(attempt.id) has made no progress in \(attempt.phase) for \(Int((now - attempt.advanced).seconds)) s"
      + " (allowed: \(Int(budget(attempt).seconds)) s)"
  }

  /// The attempts that have hung.
  ///
  /// Pictures are drawn one after another, so one that waits for the model may wait for another slot's picture: as long as
  /// anything here gets further, it has not hung.
  package func stalled(_ attempts: [Attempt], at now: ContinuousClock.Instant) -> [Attempt] {
    guard let latest = attempts.map(\.advanced).max() else { return [] }
    return attempts.filter { now - ($0.phase == "load_model" ? latest : $0.advanced) > budget($0) }
  }

  private func budget(_ attempt: Attempt) -> Duration { phaseBudgets[attempt.phase] ?? defaultBudget }
}
