import Logging
import Monitoring
import ServiceLifecycle
import Worker

/// What a worker shows of itself, on its own endpoint or in a file.
struct Observation {
  let metrics: WorkerMetrics
  let window = WorkerWindow()
  let services: [any Service]

  /// Nil when nobody wants to watch.
  init?(settings: WorkerSettings, logger: Logger) {
    guard settings.listen != nil || settings.metricsFile != nil else { return nil }
    let registry = PrometheusRegistry(help: WorkerMetrics.help)
    let metrics = WorkerMetrics(factory: registry, worker: settings.configuration)
    let window = window
    let text: @Sendable () -> String = {
      metrics.observe(window.status, stall: window.stall)
      return registry.text() + ProcessMetrics.text()
    }
    var services: [any Service] = []
    if let listen = settings.listen {
      services.append(
        MonitoringServer(
          address: listen.address, logger: logger, metrics: text, health: { Self.health(window) },
          listening: { port in logger.info("listening", metadata: ["port": "\(port)"]) }))
    }
    if let path = settings.metricsFile { services.append(MetricsFile(path: path, logger: logger, metrics: text)) }
    self.metrics = metrics
    self.services = services
  }

  /// A worker that loads or has lost its database is not ready, but a restart would not help; one that hangs needs one.
  private static func health(_ window: WorkerWindow) -> Health {
    let status = window.status
    let stall = window.stall
    return Health(
      isLive: stall == nil, isReady: stall == nil && status?.condition == .working,
      detail: stall ?? status?.description ?? "starting")
  }
}
