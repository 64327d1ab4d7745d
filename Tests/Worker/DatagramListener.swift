import Foundation
import Glibc

/// A real Unix datagram socket that a test listens on, as systemd and journald do.
final class DatagramListener: Sendable {
  private let descriptor: Int32
  let path: String

  /// - Parameter path: nil for a fresh one in the temporary folder; a leading `@` for the abstract namespace.
  init(path: String? = nil) throws {
    self.path = path ?? "/tmp/tintype-\(UUID().uuidString.prefix(8)).sock"
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(self.path.utf8)
    if name[0] == UInt8(ascii: "@") { name[0] = 0 } else { name.append(0) }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, length) }
    }
    guard status == 0 else { throw CocoaError(.fileWriteUnknown) }
  }

  deinit {
    close(descriptor)
    if !path.hasPrefix("@") { unsafe unlink(path) }
  }

  /// The next datagram; empty after five seconds without one.
  func receive() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
    return Array(buffer.prefix(max(0, count)))
  }

  func receiveText() -> String { String(decoding: receive(), as: UTF8.self) }
}
