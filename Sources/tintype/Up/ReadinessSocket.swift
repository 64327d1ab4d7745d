import Foundation
import Glibc

/// What a starting worker says about itself, heard as systemd would hear it: over the socket of sd_notify(3).
final class ReadinessSocket {
  /// For the worker's `NOTIFY_SOCKET`.
  let path: String
  private let descriptor: Int32
  private(set) var isReady = false
  /// The worker's last status line: `loading models, 45 %`.
  private(set) var status = "starting the worker"

  /// - Parameter path: of a socket to be made, at most 107 bytes; what lies there is removed.
  init(path: String) throws {
    self.path = path
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let name = Array(path.utf8) + [0]
    guard name.count <= MemoryLayout.size(ofValue: address.sun_path) else {
      throw CommandError(
        .usage, "--state-dir: \(path) is too long a path for a socket.", remedy: "Give a shorter one.")
    }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
    unsafe unlink(path)
    descriptor = socket(
      AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard descriptor >= 0, status == 0 else {
      let reason = unsafe String(cString: strerror(errno))
      close(descriptor)
      throw CommandError(.cannotCreate, "\(path) cannot be created: \(reason).")
    }
  }

  deinit {
    close(descriptor)
    unsafe unlink(path)
  }

  /// Takes in what has been said since the last time; does not wait.
  func listen() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
      guard count > 0 else { return }
      for line in String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n") {
        if line == "READY=1" { isReady = true }
        if line.hasPrefix("STATUS=") { status = String(line.dropFirst("STATUS=".count)) }
      }
    }
  }
}
