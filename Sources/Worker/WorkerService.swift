public import Jobs
public import Logging
public import Postgres
public import ServiceLifecycle

/// A worker: claims jobs and hands them to a handler until it is asked to stop, or has done what it was told to do.
///
/// One structured root holds everything that runs. The parts share no state but `RunningAttempts`, `Registration` and
/// `Shutdown`, and each is readable alone:
///
///     Producer ──claims──▶ Executor ──verdict──▶ Completer ──▶ the database
///     Heartbeat  the lease, progress there, cancel and drain back
///     Maintenance, Notifications, Supervision (systemd)
public struct WorkerService: Service {
  /// Called once before the first claim, to load what every job needs; tells its progress.
  public typealias Preparation = @Sendable (LoadingProgress) async throws -> Void
  /// Removes what a result left on disk, when its attempt has lost the lease.
  public typealias Discard = @Sendable (Job, JobResult) async throws -> Void

  private let configuration: WorkerConfiguration
  private let database: PostgresConfiguration
  private let handler: JobHandler
  private let models: [String]
  private let logger: Logger
  private let notifier: SystemdNotifier?
  private let prepare: Preparation
  private let discard: Discard
  private let impatience: AsyncStream<Void>?
  private let loadedModels: @Sendable () -> [String]?
  private let output: (any OutputFolder)?
  private let whenStuck: @Sendable () -> Void
  private let metrics: WorkerMetrics?
  private let window: WorkerWindow?

  /// - Parameters:
  ///   - models: names of the models that the handler has, the default first.
  ///   - notifier: nil when systemd does not listen.
  ///   - impatience: an element stops running jobs at once during a drain; see `ShutdownSignals`.
  ///   - loadedModels: which models are in memory; nil if that makes no difference.
  ///   - output: where the handler writes, for housekeeping; nil if this worker leaves that to others.
  ///   - whenStuck: ends the process. Called when a job hangs and cannot be stopped, after everything that the worker
  ///     held has been given back.
  ///   - metrics: counts what becomes of attempts.
  ///   - window: opened at the start, for probes.
  public init(
    configuration: WorkerConfiguration, database: PostgresConfiguration, handler: @escaping JobHandler,
    models: [String],
    logger: Logger, notifier: SystemdNotifier?, prepare: @escaping Preparation = { _ in },
    discard: @escaping Discard = { _, _ in }, impatience: AsyncStream<Void>? = nil,
    loadedModels: @escaping @Sendable () -> [String]? = { nil }, output: (any OutputFolder)? = nil,
    metrics: WorkerMetrics? = nil, window: WorkerWindow? = nil, whenStuck: @escaping @Sendable () -> Void
  ) {
    self.loadedModels = loadedModels
    self.output = output
    self.whenStuck = whenStuck
    self.configuration = configuration
    self.database = database
    self.handler = handler
    self.models = models
    self.logger = logger
    self.notifier = notifier
    self.prepare = prepare
    self.discard = discard
    self.impatience = impatience
    self.metrics = metrics
    self.window = window
  }

  /// Works until a graceful shutdown, `maxJobs` or `idleExit`, and returns when nothing runs any more. Cancellation is a
  /// shutdown in a hurry: running jobs stop at their next block and are given back.
  ///
  /// - Throws: `WorkerError` or `MigrationError` when it cannot start.
  public func run() async throws {
    let shutdown = Shutdown()
    try await withGracefulShutdownHandler {
      try await withTaskCancellationHandler {
        // In a cancelled task no statement can be sent any more, so jobs could not be given back. The work runs in one task
        // that this one waits for; cancellation reaches it as a value.
        try await Task { try await serve(shutdown) }.value
      } onCancel: {
        shutdown.stop("cancelled")
      }
    } onGracefulShutdown: {
      shutdown.drain("asked to stop")
    }
  }

  private func serve(_ shutdown: Shutdown) async throws {
    let parts = WorkerParts(
      configuration: configuration, database: database, handler: handler, models: models,
      loadedModels: loadedModels, output: output, logger: logger, notifier: notifier, discard: discard,
      shutdown: shutdown, whenStuck: whenStuck, metrics: metrics)
    window?.open(status: { parts.status }, stall: { parts.stall })
    defer { notifier?.stopping(status: "stopped") }
    do {
      try await parts.start()
      try await withThrowingTaskGroup(of: WorkerParts.Event.self) { group in
        parts.addSupport(to: &group, impatience: impatience)
        group.addTask { try await prepareAndProduce(parts, shutdown) }
        // Everything else runs until it is cancelled.
        for try await event in group where event != .ended { group.cancelAll() }
      }
      await parts.sayGoodbye()
    } catch {
      await parts.sayGoodbye()
      throw error
    }
  }

  private func prepareAndProduce(_ parts: WorkerParts, _ shutdown: Shutdown) async throws -> WorkerParts.Event {
    try await parts.whileLoading { loading in
      do {
        try await prepare(loading)
      } catch {
        // Stopped while loading: nothing has failed.
        if shutdown.draining.isOpen { return }
        throw WorkerError(.preparationFailed, "the worker cannot start: \(error)", cause: error)
      }
    }
    if shutdown.draining.isOpen { return .produced }
    parts.becomeReady()
    let ending = await parts.producer.run()
    logger.info("no more jobs: \(ending.rawValue)")
    return .produced
  }
}
