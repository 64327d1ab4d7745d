public import CoreMetrics
internal import Jobs
internal import Synchronization

/// What a worker counts, for whoever collects it. Names and units are Prometheus' own; Docs/metrics.md is the reference.
public struct WorkerMetrics: Sendable {
  /// What each metric says, by its name.
  public static let help = [
    "tintype_attempts_total": "Attempts that have ended, by outcome: succeeded, failed, cancelled or released.",
    "tintype_images_total": "Pictures that were made and recorded.",
    "tintype_attempt_duration_seconds": "From the claim of a job to its recorded end, by outcome.",
    "tintype_phase_duration_seconds": "What a phase took in attempts that succeeded.",
    "tintype_outcomes_dropped_total": "Outcomes that nobody wanted any more, because the lease had been lost.",
    "tintype_jobs_running": "Jobs that this worker runs now.",
    "tintype_worker_ready": "1 while this worker takes jobs, else 0.",
    "tintype_worker_live": "1 unless this worker has hung.",
    "tintype_worker_info": "Always 1; the labels say which worker this is.",
  ]

  private let factory: any MetricsFactory
  private let images: Counter
  private let dropped: Counter
  private let ended: [String: (count: Counter, duration: Timer)]
  private let running: Meter
  private let ready: Meter
  private let live: Meter

  /// - Parameter worker: this worker, for the labels of `tintype_worker_info`.
  public init(factory: any MetricsFactory, worker: WorkerConfiguration) {
    self.factory = factory
    images = Counter(label: "tintype_images_total", factory: factory)
    dropped = Counter(label: "tintype_outcomes_dropped_total", factory: factory)
    // All outcomes from the start: a series that appears with its first event has no rate for it.
    ended = Dictionary(
      uniqueKeysWithValues: ["succeeded", "failed", "cancelled", "released"].map { outcome in
        let labels = [("outcome", outcome)]
        return (
          outcome,
          (
            Counter(label: "tintype_attempts_total", dimensions: labels, factory: factory),
            Timer(label: "tintype_attempt_duration_seconds", dimensions: labels, factory: factory)
          )
        )
      })
    running = Meter(label: "tintype_jobs_running", factory: factory)
    ready = Meter(label: "tintype_worker_ready", factory: factory)
    live = Meter(label: "tintype_worker_live", factory: factory)
    let labels = [("name", worker.name), ("host", worker.host), ("version", worker.version)]
    Meter(label: "tintype_worker_info", dimensions: labels, factory: factory).set(1)
  }

  /// Takes over what the worker does now; called before each scrape.
  public func observe(_ status: WorkerStatus?, stall: String?) {
    running.set(status?.attempts.count ?? 0)
    ready.set(status?.condition == .working ? 1 : 0)
    live.set(stall == nil ? 1 : 0)
  }

  func ended(_ outcome: JobOutcome, after duration: Duration) {
    let series = ended[outcome.name]
    series?.count.increment()
    series?.duration.recordNanoseconds(Int64(duration / .nanoseconds(1)))
    guard case .succeeded(let result) = outcome else { return }
    images.increment(by: result.images.count)
    for (phase, seconds) in result.timings {
      Timer(label: "tintype_phase_duration_seconds", dimensions: [("phase", phase)], factory: factory)
        .recordNanoseconds(Int64(seconds * 1e9))
    }
  }

  func outcomeDropped() { dropped.increment() }
}

extension JobOutcome {
  fileprivate var name: String {
    switch self {
    case .succeeded: "succeeded"
    case .failed: "failed"
    case .cancelled: "cancelled"
    case .released: "released"
    }
  }
}

/// A window into a running worker, for probes: empty before it starts.
public final class WorkerWindow: Sendable {
  private struct View {
    let status: @Sendable () -> WorkerStatus
    let stall: @Sendable () -> String?
  }
  private let view = Mutex<View?>(nil)

  /// Nothing to see yet.
  public init() {}

  /// What the worker does; nil before it has started.
  public var status: WorkerStatus? { view.withLock { $0 }?.status() }

  /// What has hung, as the watchdog judges it; nil when all is well.
  public var stall: String? { view.withLock { $0 }?.stall() }

  func open(status: @escaping @Sendable () -> WorkerStatus, stall: @escaping @Sendable () -> String?) {
    view.withLock { $0 = View(status: status, stall: stall) }
  }
}
