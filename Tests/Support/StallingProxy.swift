import Foundation
import Synchronization

/// Stands between a client and a `PrivateCluster`, and on demand does what broken networks do: it goes silent, or it
/// hangs up.
public final class StallingProxy: Sendable {
  /// The folder with the proxy's socket, in place of the cluster's.
  public let folder: String
  private let listener: Int32
  private let state = Mutex(State())

  private struct State {
    var isStalled = false
    var sockets: [Int32] = []
  }

  /// Starts to forward connections to the cluster.
  public init(to cluster: PrivateCluster) throws {
    folder = "/tmp/tintype-proxy.\(UInt32.random(in: 0 ..< .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    let bound = try unsafe withSocketAddress("\(folder)/.s.PGSQL.5432") { unsafe bind(listener, $0, $1) }
    guard bound == 0, listen(listener, 16) == 0 else {
      throw PrivateClusterError("The proxy cannot listen (errno \(errno)).")
    }
    let target = "\(cluster.folder)/.s.PGSQL.5432"
    Thread.detachNewThread { [weak self] in
      while case let client = accept(listener, nil, nil), client >= 0 {
        guard let self else { break }
        self.forward(client, to: target)
      }
    }
  }

  /// A URL through the proxy.
  public func url(database: String = "postgres") -> String { "postgresql:///\(database)?host=\(folder)&user=postgres" }

  /// From now on nothing gets through, and nobody is told.
  public func stall() { state.withLock { $0.isStalled = true } }

  /// Hangs up on everyone and accepts nobody.
  public func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    state.withLock { state in
      for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
      state.sockets = []
    }
    try? FileManager.default.removeItem(atPath: folder)
  }

  private func forward(_ client: Int32, to path: String) {
    let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard (try? unsafe withSocketAddress(path) { unsafe connect(server, $0, $1) }) == 0 else {
      close(client)
      close(server)
      return
    }
    state.withLock { $0.sockets += [client, server] }
    for (from, to) in [(client, server), (server, client)] {
      Thread.detachNewThread { [weak self] in
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = unsafe read(from, &buffer, buffer.count), count > 0 {
          guard let self else { break }
          // What arrives while stalled is swallowed, as by a router that has lost its tables.
          if self.state.withLock({ $0.isStalled }) { continue }
          var sent = 0
          while sent < count {
            let written = unsafe buffer.withUnsafeBytes { bytes in
              unsafe send(to, bytes.baseAddress.map { unsafe $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { break }
            sent += written
          }
        }
        guard let self, !self.state.withLock({ $0.isStalled }) else { return }
        shutdown(to, Int32(SHUT_RDWR))
      }
    }
  }
}
