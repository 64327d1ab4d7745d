internal import Hummingbird
public import Logging
internal import NIOCore
public import Postgres
public import ServiceLifecycle

/// The page for whoever watches: queues, workers, throughput, jobs and their pictures, live.
///
/// It reads views, and shows prompts and pictures only where its database role may read `tintype.jobs` and `tintype.images`.
/// It changes nothing unless it was given a token for actions.
public struct Dashboard: Service {
  /// How the page is served.
  public struct Configuration: Sendable {
    /// A name or a number of this machine; loopback unless the page is meant for others.
    public var host = "127.0.0.1"
    /// Zero lets the system choose.
    public var port = 8080
    /// Where pictures lie; nil shows none.
    public var pictures: String?
    /// What whoever opens the page must know: `/?key=…`; nil lets everybody in who can reach it.
    public var key: String?
    /// What cancel, retry, pause and resume ask for; nil forbids them.
    public var token: String?
    /// Time between two looks at the database, while anybody watches.
    public var refresh: Duration = .seconds(2)

    /// Loopback, no pictures, no actions.
    public init() {}
  }

  private let configuration: Configuration
  private let session: PostgresSession
  private let logger: Logger
  private let listening: @Sendable (Int) -> Void

  /// - Parameters:
  ///   - session: as a role that may read; nothing is written without a token.
  ///   - listening: told the port once the page can be opened.
  public init(
    configuration: Configuration, session: PostgresSession, logger: Logger,
    listening: @escaping @Sendable (Int) -> Void = { _ in }
  ) {
    self.configuration = configuration
    self.session = session
    self.logger = logger
    self.listening = listening
  }

  /// Serves until a graceful shutdown.
  public func run() async throws {
    let store = DashboardStore(session: session)
    let feed = DashboardFeed(store: store, refresh: configuration.refresh, logger: logger)
    let routes = DashboardRoutes(configuration: configuration, store: store, feed: feed, logger: logger)
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    let listening = listening
    let application = Application(
      router: routes.router(),
      configuration: .init(
        address: .hostname(configuration.host, port: configuration.port), serverName: nil),
      onServerRunning: { listening($0.localAddress?.port ?? 0) }, logger: quiet)
    try await withGracefulShutdownHandler {
      try await application.run()
    } onGracefulShutdown: {
      // Streams never end by themselves, and the server waits for them.
      feed.end()
    }
  }
}
