import Foundation
import ImageJobs
import Logging
import Postgres
import ServiceLifecycle
import UnixSignals
import Worker

/// A worker in this process, from its first log line to its last: for `worker` and `up --foreground`.
struct WorkerRun {
  let settings: WorkerSettings
  let database: PostgresConfiguration
  let logger: Logger

  /// Works until it is told to stop or has done what it was told to do.
  func run() async throws {
    // A log that nobody reads any more must not end the worker.
    Signals.ignoreBrokenPipe()
    let engine = try settings.makeEngine()
    let store = try settings.makeStore(logger: logger)
    let handler = ImageJobHandler(
      engine: engine, store: store,
      source: InitImageSource(inputRoot: settings.input, outputRoot: settings.output, limits: settings.limits),
      limits: settings.limits, softwareVersion: Version.text)
    let isLazy = settings.isLazy
    let observation = Observation(settings: settings, logger: logger)
    let worker = WorkerService(
      configuration: settings.configuration, database: database, handler: { try await handler($0, $1) },
      models: settings.models.map(\.name), logger: logger,
      notifier: SystemdNotifier(environment: ProcessInfo.processInfo.environment),
      prepare: { loading in
        if !isLazy { try await engine.load { loading.report($0) } }
      },
      discard: { try await handler.discard($1) }, impatience: ShutdownSignals.repeated([SIGTERM, SIGINT]),
      loadedModels: { engine.loadedModels }, output: OutputHousekeeper(of: store),
      metrics: observation?.metrics, window: observation?.window,
      // At once: a thread that hangs in a driver would hang an orderly exit as well.
      whenStuck: { _exit(ExitStatus.stuck.rawValue) })
    let group = ServiceGroup(
      configuration: .init(
        // The last to start is the first to be stopped: probes and scrapes are answered until the worker has drained.
        services: (observation?.services ?? []).map { .init(service: $0) }
          + [.init(service: worker, successTerminationBehavior: .gracefullyShutdownGroup)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch {
      logger.error("\(CommandError(translating: error)?.message ?? "\(error)")")
      throw error
    }
  }
}
