import Foundation
import Glibc
import Monitoring

/// The page of what `tintype up` started: a `tintype dashboard` in a process of its own.
///
/// The database is reachable for its owner alone, but a port of this machine is reachable for everyone on it: so the page asks for a
/// key, which is in the address that is printed, and in a file that only the owner reads.
struct PrivatePage {
  let state: StateDirectory
  let databaseURL: String
  let pictures: String
  /// Where it is to listen; nil for the usual port, or any other where that is taken.
  let listen: Listen?

  private static let patience = Duration.seconds(10)

  /// Starts it unless it runs.
  ///
  /// - Parameter logs: options for its log.
  /// - Returns: its address, key included.
  func start(logs: [String]) async throws -> String {
    let known = try? String(contentsOfFile: state.pageAddress, encoding: .utf8)
    if state.running(.dashboard) != nil, let known { return known }
    // The same as before, so that an open page comes back and a bookmark stays good.
    let key = known?.components(separatedBy: "?key=").last ?? DashboardCommand.randomSecret()
    let anyPort = Listen(ListenAddress(host: Listen.dashboard.address.host, port: 0))
    let origin: String
    do {
      origin = try await start(at: listen ?? .dashboard, key: key, logs: logs)
    } catch let error as CommandError where error.status == .unavailable && listen == nil {
      origin = try await start(at: anyPort, key: key, logs: logs)
    }
    let address = "\(origin)?key=\(key)"
    guard
      FileManager.default.createFile(
        atPath: state.pageAddress, contents: Data(address.utf8), attributes: [.posixPermissions: 0o600])
    else { throw CommandError(.cannotCreate, "\(state.pageAddress) cannot be written.") }
    return address
  }

  private func start(at place: Listen, key: String, logs: [String]) async throws -> String {
    let readiness = try ReadinessSocket(path: state.readinessSocket)
    let logStart = state.logSize(of: .dashboard)
    let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path
    let page = try ChildProcess(
      [
        program, "dashboard", "--database-url", databaseURL, "--output", pictures, "--listen", "\(place.address)",
        "--allow-actions",
      ] + logs, output: state.log(of: .dashboard),
      environment: [
        "NOTIFY_SOCKET": readiness.path, "TINTYPE_DASHBOARD_KEY": key, "TINTYPE_DASHBOARD_TOKEN": key,
      ], isDetached: true)
    try state.record(page.processIdentifier, as: .dashboard)
    while true {
      readiness.listen()
      if readiness.isReady { return readiness.status }
      if let status = page.poll() {
        state.forget(.dashboard)
        throw CommandError(
          ExitStatus(rawValue: status) ?? .internalError,
          "the page ended before it was served:\n  \(state.logTail(of: .dashboard, since: logStart))",
          remedy: "Its whole log is \(state.log(of: .dashboard)). Without a page: `tintype up --no-dashboard`.")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Ends it if it runs.
  ///
  /// - Returns: whether it ran.
  @discardableResult
  static func stop(_ state: StateDirectory) async throws -> Bool {
    guard let page = state.running(.dashboard) else { return false }
    kill(page, SIGTERM)
    let deadline = ContinuousClock.now + patience
    while state.running(.dashboard) != nil {
      // It holds nothing that could be lost.
      if ContinuousClock.now > deadline { kill(page, SIGKILL) }
      try await Task.sleep(for: .milliseconds(20))
    }
    state.forget(.dashboard)
    return true
  }
}
