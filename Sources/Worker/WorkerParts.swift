internal import Glibc
internal import JobStore
internal import Jobs
internal import Logging
internal import Postgres
internal import Synchronization

/// The parts of one running worker, made and joined in one place.
struct WorkerParts: Sendable {
  /// What ends the root's wait.
  enum Event: Sendable, Equatable {
    /// A part returned because it was cancelled.
    case ended
    /// The producer is done, and nothing runs any more.
    case produced
    /// Stopped jobs did not end in time.
    case abandoned
  }

  let configuration: WorkerConfiguration
  let shutdown: Shutdown
  let producer: Producer
  private let notifier: SystemdNotifier?
  private let logger: Logger
  private let session: PostgresSession, heartbeatSession: PostgresSession, listenSession: PostgresSession
  private let registration: Registration
  private let registrar: Registrar
  private let attempts = RunningAttempts()
  private let events = ProducerEvents()
  private let pulse = Pulse()
  private let tally: JobTally
  private let trouble = DatabaseTrouble()
  private let heartbeat: Heartbeat
  private let ready = Gate()
  private let completer: Completer
  private let output: (any OutputFolder)?
  private let whenStuck: @Sendable () -> Void

  init(
    configuration: WorkerConfiguration, database: PostgresConfiguration, handler: @escaping JobHandler,
    models: [String], loadedModels: @escaping @Sendable () -> [String]?, output: (any OutputFolder)?,
    logger: Logger, notifier: SystemdNotifier?, discard: @escaping Completer.Discard, shutdown: Shutdown,
    whenStuck: @escaping @Sendable () -> Void, metrics: WorkerMetrics?
  ) {
    tally = JobTally(metrics: metrics)
    self.output = output
    self.whenStuck = whenStuck
    self.configuration = configuration
    self.shutdown = shutdown
    self.notifier = notifier
    self.logger = logger
    // Whoever waits for a connection gives up after a moment and looks around: a worker that is asked to stop while the
    // database is away must not wait for it.
    let patience = Duration.seconds(2)
    session = PostgresSession(database, patience: patience)
    var quick = database
    quick.statementTimeout = min(database.statementTimeout, configuration.lease * 0.25)
    quick.connectTimeout = min(database.connectTimeout, configuration.lease * 0.25)
    heartbeatSession = PostgresSession(quick, patience: patience) { [logger, trouble] in
      trouble.note($0)
      logChange($0, logger)
    }
    listenSession = PostgresSession(database)
    registration = Registration(lease: configuration.lease)
    registrar = Registrar(
      store: JobStore(session: heartbeatSession), registration: registration, attempts: attempts,
      configuration: configuration, models: models, processID: getpid(), logger: logger)
    let store = JobStore(session: session)
    completer = Completer(reports: Reports(store: store), discard: discard, tally: tally, logger: logger)
    producer = Producer(
      store: store, registration: registration, attempts: attempts,
      executor: Executor(handler: handler, attempts: attempts, completer: completer, logger: logger),
      configuration: configuration,
      models: models, loadedModels: loadedModels, events: events, logger: logger)
    heartbeat = Heartbeat(
      store: JobStore(session: heartbeatSession), registration: registration, registrar: registrar, attempts: attempts,
      configuration: configuration, shutdown: shutdown, events: events, pulse: pulse, logger: logger)
  }

  /// Connects, checks the schema and registers; keeps trying while the database is away.
  ///
  /// A refusal ends it, because at the start someone is there to see it. Later a refusal is waited out like an outage: a
  /// password that is being changed must not take down every worker, and the new one is read at each attempt.
  func start() async throws {
    while !shutdown.draining.isOpen {
      do {
        try await session.withConnection { try await Migrator(connection: $0).requireUsable() }
        return try await registrar.register()
      } catch let error as PostgresError where !error.isRetryable || error.isRefusal {
        throw WorkerError(.databaseRefused, "the database refuses this worker: \(error)", cause: error)
      } catch let error as PostgresError {
        notifier?.status("waiting for the database: \(error.message)")
        logger.warning("waiting for the database", metadata: .init([.error: error.message]))
        await shutdown.draining.wait(atMost: Duration.seconds(1).jittered())
      }
    }
  }

  /// Starts everything but the producer.
  func addSupport(to group: inout ThrowingTaskGroup<Event, any Error>, impatience: AsyncStream<Void>?) {
    let maintenance = Maintenance(store: producer.store, interval: configuration.maintenanceInterval, logger: logger)
    let notifications = Notifications(
      session: listenSession, queues: Set(configuration.queues), registration: registration, events: events,
      pulse: pulse, logger: logger)
    let parts: [@Sendable () async -> Void] = [
      heartbeat.run, registrar.guardLease, maintenance.run, notifications.run,
      {
        guard let output else { return }
        await Housekeeping(
          store: producer.store, folder: output, registration: registration, configuration: configuration,
          logger: logger
        ).run()
      },
      {
        guard let impatience else { return }
        for await _ in impatience { shutdown.stop("asked again to stop") }
      },
      {
        await ready.wait()
        guard ready.isOpen else { return }
        await supervision.run()
      },
    ]
    for part in parts {
      group.addTask {
        await part()
        return .ended
      }
    }
    group.addTask { await followShutdown() }
  }

  /// Runs `body` while systemd is told to wait.
  func whileLoading(_ body: @escaping @Sendable (LoadingProgress) async throws -> Void) async throws {
    let loading = LoadingProgress()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await body(loading)
        return true
      }
      group.addTask {
        await supervision.extendStartUp(loading)
        return false
      }
      group.addTask {
        // Loading may take minutes, and whoever asks to stop now has nothing to wait for.
        await shutdown.draining.wait()
        return true
      }
      while try await group.next() == false {}
      group.cancelAll()
    }
  }

  /// Everything stands: the unit counts as started.
  func becomeReady() {
    notifier?.ready(status: status.description)
    ready.open()
    logger.info(
      "ready", metadata: .init([.queue: configuration.queues.joined(separator: ",")], event: .workerReady))
  }

  /// The last words: what the database still believes to be ours is ready again. Bounded, since the database may be away.
  func sayGoodbye() async {
    if let workerID = registration.workerID {
      await withTaskGroup(of: Void.self) { group in
        group.addTask {
          do { try await JobStore(session: session).stop(worker: workerID) } catch {
            logger.warning("could not say goodbye; the lease will end", metadata: .init([.error: "\(error)"]))
          }
        }
        group.addTask { try? await Task.sleep(for: .seconds(5)) }
        await group.next()
        group.cancelAll()
      }
    }
    for session in [session, heartbeatSession, listenSession] { await session.close() }
    logger.info("stopped: \(status)", metadata: .init([:], event: .workerStopped))
  }

  /// Drain, then stop what has not finished in time, then give up on what does not stop.
  private func followShutdown() async -> Event {
    await shutdown.draining.wait()
    guard !Task.isCancelled else { return .ended }
    events.drain()
    notifier?.stopping(status: "draining: \(shutdown.reason)")
    logger.info("draining: \(shutdown.reason)", metadata: .init([.seconds: configuration.drainTimeout.seconds]))
    await shutdown.stopping.wait(atMost: configuration.drainTimeout)
    guard !Task.isCancelled else { return .ended }
    attempts.stopAll(.drained)
    try? await Task.sleep(for: configuration.stopGrace)
    guard !Task.isCancelled else { return .ended }
    logger.error("jobs did not stop in time; they are left to their lease")
    return .abandoned
  }

  private var supervision: Supervision {
    Supervision(
      notifier: notifier, liveness: configuration.liveness, pulse: pulse, attempts: attempts, status: { status },
      grace: configuration.stopGrace, giveUp: giveUp, logger: logger)
  }

  /// An attempt hangs and does not hear that it should stop: its thread is lost, and only a new process has another.
  /// What it held is given back first, so that nobody has to wait for the lease.
  private func giveUp(_ hung: [RunningAttempt]) async {
    logger.critical("hung jobs do not stop, so the process ends", metadata: .init([:], event: .stalled))
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for attempt in hung { await completer.complete(attempt, .finish(.failed(.stalled))) } }
      group.addTask { try? await Task.sleep(for: .seconds(5)) }
      await group.next()
      group.cancelAll()
    }
    await sayGoodbye()
    notifier?.stopping(status: "hung")
    whenStuck()
  }

  /// What has hung, as the watchdog judges it.
  var stall: String? { supervision.stall }

  /// What the worker does now.
  var status: WorkerStatus {
    let counts = tally.current
    let condition: WorkerStatus.Condition =
      switch () {
      case _ where shutdown.draining.isOpen: .draining
      case _ where registration.valid(at: .now) == nil: .cutOff
      case _ where !ready.isOpen: .loading
      default: .working
      }
    return WorkerStatus(
      condition: condition,
      attempts: attempts.all.map {
        .init(
          job: $0.job.id, attempt: $0.job.attemptID, phase: $0.progress.phase, fraction: $0.progress.fraction)
      }, succeeded: counts.succeeded, failed: counts.failed, trouble: trouble.reason)
  }
}

/// Why there is no connection to the database at the moment, for the status line.
private final class DatabaseTrouble: Sendable {
  private let current = Mutex<String?>(nil)

  var reason: String? { current.withLock { $0 } }

  func note(_ state: PostgresSession.State) {
    current.withLock { reason in
      switch state {
      case .refused(let why, _): reason = "the database refuses this worker: \(why)"
      case .waiting(let why, _): reason = "the database is away: \(why)"
      case .connected: reason = nil
      case .idle, .connecting, .closed: break
      }
    }
  }
}

/// Says once that the database is gone, and once that it is back.
@Sendable private func logChange(_ state: PostgresSession.State, _ logger: Logger) {
  switch state {
  case .waiting(let reason, let retryIn):
    logger.warning(
      "database lost, reconnecting", metadata: .init([.error: reason, .seconds: retryIn.seconds], event: .databaseLost))
  case .refused(let reason, let retryIn):
    logger.error(
      "the database refuses this worker; trying again, with the password read anew",
      metadata: .init([.error: reason, .seconds: retryIn.seconds], event: .databaseLost))
  case .connected: logger.info("connected to the database", metadata: .init([:], event: .databaseBack))
  case .idle, .connecting, .closed: break
  }
}
