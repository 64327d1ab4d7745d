internal import Jobs
internal import Logging

/// Tells systemd how the worker does: the status line, and the watchdog while there is progress.
struct Supervision: Sendable {
  let notifier: SystemdNotifier?
  let liveness: Liveness
  let pulse: Pulse
  let attempts: RunningAttempts
  let status: @Sendable () -> WorkerStatus
  /// How long a hung attempt may take to stop.
  let grace: Duration
  /// Called with attempts that did not.
  let giveUp: @Sendable ([RunningAttempt]) async -> Void
  let logger: Logger

  /// Until the task is cancelled. Begins once the worker is ready.
  func run() async {
    let interval = min(
      notifier?.watchdogInterval.map { $0 / 3 } ?? .seconds(10), liveness.shortestBudget / 2, .seconds(10))
    var lastStall: String?
    var stoppedAt: [Int64: ContinuousClock.Instant] = [:]
    var lastStatus = ""
    while !Task.isCancelled {
      let stall = stall
      if let stall {
        if lastStall == nil { logger.critical("stalled: \(stall)", metadata: .init([:], event: .stalled)) }
      } else {
        notifier?.watchdog()
      }
      lastStall = stall
      let hung = Set(liveness.stalled(attempts.all.compactMap(\.liveness), at: .now).map(\.id))
      attempts.stop(hung.filter { stoppedAt[$0] == nil }, .stalled)
      stoppedAt = Dictionary(uniqueKeysWithValues: hung.map { ($0, stoppedAt[$0] ?? .now) })
      let deaf = attempts.all.filter { stoppedAt[$0.job.attemptID].map { .now - $0 > grace } ?? false }
      if !deaf.isEmpty { return await giveUp(deaf) }
      let line = status().description
      if line != lastStatus { notifier?.status(line) }
      lastStatus = line
      try? await Task.sleep(for: interval)
    }
  }

  /// What has hung; nil when all is well.
  var stall: String? {
    liveness.stall(heartbeat: pulse.lastBeat, attempts: attempts.all.compactMap(\.liveness), at: .now)
  }

  /// While models load: asks systemd for more time as long as loading gets on, so that a hung disk still fails.
  func extendStartUp(_ loading: LoadingProgress) async {
    while !Task.isCancelled {
      let budget = liveness.phaseBudgets["load_model"] ?? liveness.defaultBudget
      if ContinuousClock.now - loading.advanced < budget {
        notifier?.extendTimeout(by: .seconds(30))
        notifier?.status("loading models, \(Int((loading.share * 100).rounded())) %")
      }
      try? await Task.sleep(for: .seconds(5))
    }
  }
}
