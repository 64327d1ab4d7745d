import Foundation
import Synchronization
import TestSupport

/// Stands between one worker and the database and does what networks do: holds everything back, hangs up, or loses one
/// end without telling the other.
final class NetworkProxy: Sendable {
  enum End: String, Sendable { case client, server }

  /// The folder with the proxy's socket, in place of the cluster's.
  let folder: String
  private let listener: Int32
  private let links = Mutex<[Link]>([])
  /// Closed while everything is held back.
  private let flow = NSCondition()
  private nonisolated(unsafe) var isHeld = false

  /// Starts to forward connections to the cluster.
  init(to cluster: PrivateCluster, in folder: TemporaryFolder, name: String) throws {
    self.folder = folder.path(name)
    try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: false)
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    self.listener = listener
    let bound = try unsafe withSocketAddress("\(self.folder)/.s.PGSQL.5432") { unsafe bind(listener, $0, $1) }
    guard bound == 0, listen(listener, 16) == 0 else { throw Complaint("the proxy cannot listen: errno \(errno)") }
    let target = "\(cluster.folder)/.s.PGSQL.5432"
    Thread.detachNewThread { [weak self] in
      while case let client = accept(listener, nil, nil), client >= 0 {
        // A worker must not inherit it: the connection would outlive its end here.
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        guard let self else { break }
        self.connect(client, to: target)
      }
    }
  }

  func url(user: String) -> String { "postgresql:///postgres?host=\(folder)&user=\(user)" }

  /// From here to `release` nothing arrives, and nothing is lost.
  func hold() { setHeld(true) }

  func release() { setHeld(false) }

  /// Every connection ends, at both ends.
  func cut() { for link in open() { link.end(.client); link.end(.server) } }

  /// One end of every connection ends; what the other one says from here on is swallowed.
  func lose(_ end: End) { for link in open() { link.end(end) } }

  /// Hangs up and accepts nobody.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    release()
    cut()
  }

  private func open() -> [Link] { links.withLock { $0 } }

  private func setHeld(_ held: Bool) {
    flow.lock()
    unsafe isHeld = held
    flow.broadcast()
    flow.unlock()
  }

  private func waitForFlow() {
    flow.lock()
    while unsafe isHeld { flow.wait() }
    flow.unlock()
  }

  private func connect(_ client: Int32, to path: String) {
    let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let isConnected = (try? unsafe withSocketAddress(path) { unsafe Foundation.connect(server, $0, $1) }) == 0
    let link = Link(client: client, server: server)
    guard isConnected else {
      link.end(.client)
      link.end(.server)
      link.close()
      return
    }
    links.withLock { $0.append(link) }
    let pumps = SharedCount(2)
    for from in [End.client, .server] {
      Thread.detachNewThread { [self] in
        pump(link, from: from)
        if pumps.countDown() {
          links.withLock { $0.removeAll { $0 === link } }
          link.close()
        }
      }
    }
  }

  private func pump(_ link: Link, from: End) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = unsafe read(link.socket(from), &buffer, buffer.count), count > 0 {
      waitForFlow()
      link.send(buffer[..<count], from: from)
    }
    // An end that hung up by itself ends the other, unless this line is the kind that does not tell.
    waitForFlow()
    if !link.isSilent { link.end(from == .client ? .server : .client) }
  }
}

/// One connection through the proxy.
private final class Link: Sendable {
  private let client: Int32, server: Int32
  private let ended = Mutex<Set<NetworkProxy.End>>([])

  init(client: Int32, server: Int32) {
    self.client = client
    self.server = server
  }

  func socket(_ end: NetworkProxy.End) -> Int32 { end == .client ? client : server }

  /// One end was taken away on purpose.
  var isSilent: Bool { ended.withLock { $0.count == 1 } }

  func end(_ end: NetworkProxy.End) {
    ended.withLock { _ = $0.insert(end) }
    shutdown(socket(end), Int32(SHUT_RDWR))
  }

  func send(_ bytes: ArraySlice<UInt8>, from: NetworkProxy.End) {
    let to: NetworkProxy.End = from == .client ? .server : .client
    guard !ended.withLock({ $0.contains(to) }) else { return }
    var rest = bytes
    while !rest.isEmpty {
      let written = unsafe rest.withUnsafeBytes { bytes in
        unsafe Foundation.send(socket(to), bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      }
      guard written > 0 else { return }
      rest = rest.dropFirst(written)
    }
  }

  func close() {
    Foundation.close(client)
    Foundation.close(server)
  }
}

private final class SharedCount: Sendable {
  private let count: Mutex<Int>
  init(_ count: Int) { self.count = Mutex(count) }
  /// True for the last.
  func countDown() -> Bool {
    count.withLock {
      $0 -= 1; return $0 == 0
    }
  }
}
