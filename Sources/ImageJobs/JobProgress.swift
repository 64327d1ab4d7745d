internal import Diffusion
internal import Jobs
internal import Synchronization

/// One job's way through its phases: translates the pipeline's progress into the job's, and keeps the seconds.
final class JobProgress: Sendable {
  /// The phases of a job that are not the pipeline's own.
  enum Phase: String {
    case fetchInit = "fetch_init"
    case loadModel = "load_model"
    case write
  }

  private struct Times {
    var current: (name: String, since: ContinuousClock.Instant)?
    var seconds: [String: Double] = [:]
  }

  /// Shares of the job's progress: loading is bounded to a little, since most jobs find their model there.
  private static let loadShare = 0.05, drawShare = 0.92

  private let reporter: any JobProgressReporter
  private let times = Mutex(Times())

  init(reporter: any JobProgressReporter) { self.reporter = reporter }

  func began(_ phase: Phase) {
    let now = ContinuousClock.now
    times.withLock { times in
      if let current = times.current { times.seconds[current.name, default: 0] += (now - current.since) / .seconds(1) }
      times.current = (phase.rawValue, now)
    }
    let fraction = phase == .write ? Self.loadShare + Self.drawShare : 0
    reporter.report(phase: phase.rawValue, step: 0, fraction: fraction)
  }

  /// Told the share of a checkpoint that is read.
  var loading: @Sendable (Double) -> Void {
    { [reporter] share in
      reporter.report(phase: Phase.loadModel.rawValue, step: 0, fraction: Self.loadShare * share)
    }
  }

  /// Reports each block. The engine itself ends the run once the job's task is cancelled.
  var control: GenerationControl {
    GenerationControl(
      progress: { [reporter] progress in
        reporter.report(
          phase: progress.phase.rawValue, step: progress.step,
          fraction: Self.loadShare + Self.drawShare * progress.fraction)
      })
  }

  /// Seconds by phase: this job's own and the pipeline's components. The time between asking for the engine and its answer
  /// is told by the engine, so it is replaced.
  func timings(adding components: [String: Double], loadSeconds: Double) -> [String: Double] {
    let now = ContinuousClock.now
    var seconds = times.withLock { times in
      if let current = times.current { times.seconds[current.name, default: 0] += (now - current.since) / .seconds(1) }
      times.current = nil
      return times.seconds
    }
    seconds[Phase.loadModel.rawValue] = loadSeconds
    return seconds.merging(components) { _, component in component }
  }
}
