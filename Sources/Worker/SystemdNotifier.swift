internal import Glibc

/// Tells systemd how the service does: the datagrams of sd_notify(3), without libsystemd.
public struct SystemdNotifier: Sendable {
  /// Path of the socket; a leading `@` stands for the abstract namespace.
  private let socketPath: String
  /// How often `WATCHDOG=1` must come, if the unit has a `WatchdogSec`; half of it is a good pace.
  public let watchdogInterval: Duration?

  /// The notifier that the environment describes (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`); nil when nobody
  /// listens.
  public init?(environment: [String: String]) {
    guard let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@"), path.utf8.count > 1
    else {
      return nil
    }
    socketPath = path
    // The watchdog may be meant for another process of the service.
    let isMeant = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
    watchdogInterval =
      isMeant ? environment["WATCHDOG_USEC"].flatMap(Int64.init).flatMap { $0 > 0 ? .microseconds($0) : nil } : nil
  }

  /// Start-up is done: the unit counts as started.
  @discardableResult public func ready(status: String) -> Bool { send("READY=1\nSTATUS=\(oneLine(status))") }

  /// One line for `systemctl status`.
  @discardableResult public func status(_ text: String) -> Bool { send("STATUS=\(oneLine(text))") }

  /// A sign of life; see `Liveness`.
  @discardableResult public func watchdog() -> Bool { send("WATCHDOG=1") }

  /// Shutting down.
  @discardableResult public func stopping(status: String) -> Bool { send("STOPPING=1\nSTATUS=\(oneLine(status))") }

  /// Start-up or shutdown takes longer; this much more from now on.
  @discardableResult public func extendTimeout(by duration: Duration) -> Bool {
    send("EXTEND_TIMEOUT_USEC=\(Int64(duration / .microseconds(1)))")
  }

  /// Sends assignments, one a line.
  ///
  /// - Returns: false when it could not be sent. Nothing depends on it: a manager that is gone must not stop the work.
  @discardableResult public func send(_ message: String) -> Bool { sendDatagram(Array(message.utf8), to: socketPath) }

  private func oneLine(_ text: String) -> String { text.replacing("\n", with: " ") }
}

/// Sends one datagram to a Unix socket.
///
/// - Parameter path: of the socket; a leading `@` stands for the abstract namespace.
/// - Returns: false with `errno` set when it could not be sent, or not at once (`EAGAIN`).
func sendDatagram(_ bytes: [UInt8], to path: String) -> Bool {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  var name = Array(path.utf8)
  guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
    errno = ENAMETOOLONG
    return false
  }
  // In the abstract namespace the name begins with a NUL and its length is what counts, so nothing may follow it.
  if name.first == UInt8(ascii: "@") { name[0] = 0 } else { name.append(0) }
  unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
  let length = socklen_t(
    MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path) + name.count)

  let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  guard descriptor >= 0 else { return false }
  defer {
    let saved = errno
    close(descriptor)
    errno = saved
  }
  // Without waiting: who listens may have stopped reading, and a heartbeat would stand behind its full queue.
  let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
  let sent = unsafe bytes.withUnsafeBytes { message in
    unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe sendto(descriptor, message.baseAddress, message.count, flags, pointer, length)
      }
    }
  }
  return sent == bytes.count
}
