import Foundation
import Glibc
import Logging

/// systemd's journal in its native protocol: one datagram a record, so that `journalctl TINTYPE_JOB=812` finds a
/// job's lines on any instance. Falls back to a line on standard error when the datagram is refused.
///
/// A record is a list of fields. A value without a line feed is sent as `KEY=value\n`; any other as `KEY\n`, its length as
/// 64 bits little-endian, the bytes, `\n`.
struct JournalLogSink: LogSink {
  static let socketPath = "/run/systemd/journal/socket"

  private let socket: DatagramSocket

  /// Nil where there is no journal.
  init?() {
    guard let socket = DatagramSocket(path: Self.socketPath) else { return nil }
    self.socket = socket
  }

  /// Standard error is the journal's own stream: systemd set the variable to the stream's device and inode, which a
  /// redirection changes, so an inherited variable alone proves nothing.
  static var isStandardError: Bool {
    guard let stream = ProcessInfo.processInfo.environment["JOURNAL_STREAM"] else { return false }
    var status = stat()
    guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  func write(_ record: LogRecord) {
    if !socket.send(Self.datagram(record)) { TextLogSink().write(record) }
  }

  static func datagram(_ record: LogRecord) -> [UInt8] {
    var bytes: [UInt8] = []
    func append(_ key: String, _ value: String) {
      let value = Array(value.utf8)
      bytes += key.utf8
      if value.contains(UInt8(ascii: "\n")) {
        bytes.append(UInt8(ascii: "\n"))
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value.count >> shift)) }
      } else {
        bytes.append(UInt8(ascii: "="))
      }
      bytes += value
      bytes.append(UInt8(ascii: "\n"))
    }
    append("MESSAGE", record.message)
    append("PRIORITY", String(priority(record.level)))
    append("SYSLOG_IDENTIFIER", "tintype")
    for field in record.fields { append(fieldName(field.key), field.value) }
    return bytes
  }

  /// syslog's numbers: 7 debug … 2 critical.
  static func priority(_ level: Logger.Level) -> Int {
    switch level {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }

  /// The journal takes A–Z, 0–9 and underscores, at most 64: `attempt_id` → `TINTYPE_ATTEMPT_ID`.
  static func fieldName(_ key: String) -> String {
    let legal = key.uppercased().unicodeScalars.map { scalar in
      ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) ? Character(scalar) : "_"
    }
    return String(("TINTYPE_" + String(legal)).prefix(64))
  }
}
