import ArgumentParser
import Dashboard
import Foundation
import Monitoring
import Postgres
import ServiceLifecycle
import UnixSignals
import Worker

struct DashboardCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dashboard",
    abstract: "Serve a page with queues, workers, jobs and pictures, live.",
    discussion: """
      It shows what its database user may read: a member of tintype_reader sees no prompt and no picture, a member of \
      tintype_admin all. It listens on this machine only unless --listen says otherwise, and asks nobody who they are, \
      except for a key where TINTYPE_DASHBOARD_KEY sets one: the page is then opened as /?key=…. Before others can reach it, \
      put something in front that asks them.

      With --allow-actions the page can cancel and retry jobs and pause and resume queues, for whoever knows the token: that of \
      TINTYPE_DASHBOARD_TOKEN, or one that is made and printed at the start.

      Examples:
        tintype dashboard
        tintype dashboard --output pictures --listen 127.0.0.1:9000
        tintype dashboard --output pictures --allow-actions
      """)

  @OptionGroup var database: DatabaseOptions
  @Option(help: ArgumentHelp("Where to listen.", valueName: "HOST:PORT")) var listen = Listen.dashboard
  @Option(
    name: Settings.output.name,
    help: ArgumentHelp(
      "The workers' --output: pictures are read from here. [\(Settings.output.environment); default: no pictures]",
      valueName: "DIR"))
  var output: String?
  @Flag(help: "Let the page cancel, retry, pause and resume.") var allowActions = false
  @OptionGroup var logs: LogOptions

  func run() async throws {
    let logger = try logs.bootstrap()
    var configuration = Dashboard.Configuration()
    configuration.host = listen.address.host
    configuration.port = listen.address.port
    configuration.pictures = try Settings.output.resolve(output)
    configuration.key = Self.secret("TINTYPE_DASHBOARD_KEY")
    configuration.token = allowActions ? token() : nil
    // No patience: requests take turns on the connection, so each one's waiting is everybody's, and the page asks again by itself.
    let session = PostgresSession(try database.configuration(role: "dashboard"), patience: .zero)
    // A wrong address or password is said now, and not by an empty page.
    try await session.withConnection { connection in
      let row = try await connection.query("SELECT to_regclass('tintype.job_status') IS NOT NULL AS migrated").rows[0]
      guard try row.decode("migrated", Bool.self) else {
        throw CommandError(
          .configuration, "this database has no Tintype schema, or this user may not see it.",
          remedy: "Install it with `tintype migrate`; let the user in with `GRANT tintype_reader TO …`.")
      }
    }
    let host = listen.address.host
    let notifier = SystemdNotifier(environment: ProcessInfo.processInfo.environment)
    let dashboard = Dashboard(configuration: configuration, session: session, logger: logger) { port in
      let url = "http://\(ListenAddress(host: host, port: port))/"
      StandardError.note("the dashboard is at \(url)")
      notifier?.ready(status: url)
    }
    let group = ServiceGroup(
      configuration: .init(services: [dashboard], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch {
      await session.close()
      throw CommandError(
        .unavailable, "cannot serve the dashboard on \(listen.address): \(error)",
        remedy: "Is something listening there already? Give another address with --listen.")
    }
    await session.close()
  }

  /// As given, or made and told.
  private func token() -> String {
    if let given = Self.secret("TINTYPE_DASHBOARD_TOKEN") { return given }
    let made = Self.randomSecret()
    StandardError.note("the token for actions is \(made)")
    return made
  }

  /// Secrets come by the environment only: a command line is for all to read. An empty variable counts as unset.
  private static func secret(_ variable: String) -> String? {
    ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// 128 bits of the system's random numbers, in letters and digits.
  static func randomSecret() -> String {
    (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
  }
}
