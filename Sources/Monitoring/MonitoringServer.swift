internal import HTTPTypes
internal import Hummingbird
public import Logging
internal import NIOCore
public import ServiceLifecycle

/// The worker's own endpoint: `/metrics` for Prometheus, `/livez` and `/readyz` for whoever restarts or routes.
///
/// It answers anybody who can reach the address and tells no prompt. Meant for loopback, or a pod's own network.
public struct MonitoringServer: Service {
  private let address: ListenAddress
  private let logger: Logger
  private let metrics: @Sendable () -> String
  private let health: @Sendable () -> Health
  private let listening: @Sendable (Int) -> Void

  /// - Parameters:
  ///   - metrics: the text for a scrape, made at each.
  ///   - health: asked at each probe.
  ///   - listening: told the port once it is open.
  public init(
    address: ListenAddress, logger: Logger, metrics: @escaping @Sendable () -> String,
    health: @escaping @Sendable () -> Health, listening: @escaping @Sendable (Int) -> Void = { _ in }
  ) {
    self.address = address
    self.logger = logger
    self.metrics = metrics
    self.health = health
    self.listening = listening
  }

  /// Serves until a graceful shutdown.
  ///
  /// - Throws: `ListenError` when the address cannot be listened on.
  public func run() async throws {
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    let listening = listening
    let application = Application(
      router: routes(),
      configuration: .init(address: .hostname(address.host, port: address.port), serverName: nil),
      onServerRunning: { listening($0.localAddress?.port ?? 0) }, logger: quiet)
    do {
      try await application.run()
    } catch  where !(error is CancellationError) {
      throw ListenError(address: address, reason: "\(error)")
    }
  }

  private func routes() -> Router<BasicRequestContext> {
    let router = Router()
    let metrics = metrics
    let health = health
    router.get("metrics") { _, _ in
      Self.text(metrics(), type: "text/plain; version=0.0.4; charset=utf-8")
    }
    router.get("livez") { _, _ in
      let health = health()
      return Self.text("\(health.detail)\n", status: health.isLive ? .ok : .serviceUnavailable)
    }
    router.get("readyz") { _, _ in
      let health = health()
      return Self.text("\(health.detail)\n", status: health.isReady ? .ok : .serviceUnavailable)
    }
    return router
  }

  private static func text(
    _ text: String, status: HTTPResponse.Status = .ok, type: String = "text/plain; charset=utf-8"
  ) -> Response {
    Response(
      status: status, headers: [.contentType: type, .cacheControl: "no-store"],
      body: .init(byteBuffer: ByteBuffer(string: text)))
  }
}

/// A server cannot listen where it should.
public struct ListenError: Error, CustomStringConvertible {
  /// Where.
  public let address: ListenAddress
  /// The system's words.
  public let reason: String

  package init(address: ListenAddress, reason: String) {
    self.address = address
    self.reason = reason
  }

  /// Where, and the system's words.
  public var description: String { "cannot listen on \(address): \(reason)" }
}
