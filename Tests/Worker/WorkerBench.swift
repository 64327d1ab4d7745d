import JobStore
import Jobs
import Logging
import Postgres
import ServiceLifecycle
import TestSupport
import Testing
import Worker

/// A migrated database of a test's own, plain SQL on it, and workers with quick habits.
struct WorkerBench: Sendable {
  let url: String
  let connection: PostgresConnection
  /// For the workers; asked for at every connect.
  var password: (@Sendable () throws -> String?)?

  static let template = DatabaseTemplate(name: "worker", prepare: migrate)

  @Sendable static func migrate(_ url: String) async throws {
    let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url))
    try await Migrator(connection: connection).migrate()
    await connection.close()
  }

  @discardableResult
  func sql(_ sql: String) async throws -> [PostgresRow] { try await connection.query(sql).rows }

  func value<T: PostgresDecodable>(_ sql: String, as type: T.Type = T.self) async throws -> T {
    try #require(await self.sql("SELECT (\(sql)) AS value").first).decode("value")
  }

  /// Inserts jobs as most people do.
  @discardableResult
  func insert(_ count: Int = 1, columns: String = "prompt", values: String = "'a red boat'") async throws -> [Int64] {
    try await sql(
      "INSERT INTO tintype.jobs (\(columns)) SELECT \(values) FROM generate_series(1, \(count)) RETURNING id"
    ).map { try $0.decode("id") }
  }

  func state(_ job: Int64) async throws -> String {
    try await value("SELECT state FROM tintype.jobs WHERE id = \(job)")
  }

  /// Waits until a query says true. What other processes do to a row can only be seen by looking again.
  func eventually(_ query: String) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while try await value("coalesce((\(query)), false)") == false {
      try #require(ContinuousClock.now < deadline, "never became true: \(query)")
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// A worker's settings: everything that is seconds in production is tenths here.
  func configuration(_ change: (inout WorkerConfiguration) -> Void = { _ in }) -> WorkerConfiguration {
    var configuration = WorkerConfiguration(name: "test", host: "here", version: "0")
    configuration.heartbeatInterval = .milliseconds(200)
    configuration.pollInterval = .milliseconds(200)
    configuration.maintenanceInterval = .milliseconds(200)
    change(&configuration)
    return configuration
  }

  func service(
    _ handler: ScriptedHandler, notifier: SystemdNotifier? = nil, log: LineSink = LineSink(),
    impatience: AsyncStream<Void>? = nil, output: (any OutputFolder)? = nil,
    loadedModels: [String]? = nil, stuck: Gate? = nil,
    _ change: (inout WorkerConfiguration) -> Void = { _ in }
  ) -> WorkerService {
    var logger = Logger(label: "test") { TerminalLogHandler(label: $0, write: log.append) }
    logger.logLevel = .debug
    return WorkerService(
      configuration: configuration(change), database: PostgresConfiguration(url: url, password: password),
      handler: handler.handle,
      models: ["m"], logger: logger, notifier: notifier, prepare: handler.prepare, discard: handler.discard,
      impatience: impatience, loadedModels: { loadedModels }, output: output,
      whenStuck: { stuck?.open() })
  }
}

/// Runs a test on a database of its own, with a limit that only a defect reaches.
func withBench(_ body: (WorkerBench) async throws -> Void) async throws {
  try await withDatabase(template: WorkerBench.template) { url in try await withBench(on: url, body) }
}

/// The same on a database that the test brings.
func withBench(on url: String, _ body: (WorkerBench) async throws -> Void) async throws {
  let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url))
  // The template may be older than an outage takes to be noticed, which would put off every rescue.
  try await connection.query("UPDATE tintype.maintenance SET last_run_at = clock_timestamp()")
  let result: Result<Void, any Error>
  do { result = .success(try await body(WorkerBench(url: url, connection: connection))) } catch {
    result = .failure(error)
  }
  await connection.close()
  try result.get()
}

/// Runs a service under a service group while `body` runs; `body` may ask it to shut down as SIGTERM does. Waits for its
/// end, and throws what it throws.
func running(
  _ service: WorkerService, _ body: (_ shutDown: @Sendable () async -> Void) async throws -> Void
) async throws {
  let group = ServiceGroup(
    configuration: .init(
      services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
      logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() }))
  async let end: Void = group.run()
  do {
    try await body { await group.triggerGracefulShutdown() }
  } catch {
    await group.triggerGracefulShutdown()
    throw error
  }
  try await end
}
