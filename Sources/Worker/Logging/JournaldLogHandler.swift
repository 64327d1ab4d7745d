internal import Glibc
public import Logging

/// Writes to journald by its native protocol, so that every field can be asked for: `journalctl TINTYPE_JOB=812`.
public struct JournaldLogHandler: LogHandler {
  /// The least severe level that is written.
  public var logLevel: Logger.Level = .info
  /// Added to every line.
  public var metadata: Logger.Metadata = [:]
  /// Asked at every line.
  public var metadataProvider: Logger.MetadataProvider?
  private let label: String
  private let socketPath: String
  private let fallback: TerminalLogHandler

  /// - Parameters:
  ///   - label: the logger's, recorded as `TINTYPE_LOGGER`.
  ///   - socketPath: journald's, but in tests.
  public init(label: String, socketPath: String = "/run/systemd/journal/socket") {
    self.label = label
    self.socketPath = socketPath
    fallback = TerminalLogHandler(label: label)
  }

  /// Whether standard error is connected to the journal: `JOURNAL_STREAM` names its device and inode. The variable alone
  /// proves nothing, as children inherit it when their output goes elsewhere.
  public static func isJournal(environment: [String: String], descriptor: Int32 = 2) -> Bool {
    var status = stat()
    guard let stream = environment["JOURNAL_STREAM"], unsafe fstat(descriptor, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  /// One entry of `metadata`.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes one line.
  public func log(event: Logging.LogEvent) {
    let all = mergedMetadata(metadata, provider: metadataProvider, event: event)
    let entry = Self.entry(
      message: "\(event.message)", level: event.level, label: label, metadata: all, file: event.file, line: event.line)
    // Too long for a datagram, or journald restarts: the plain line still reaches it through standard error.
    if !sendDatagram(entry, to: socketPath) { fallback.log(event: event, metadata: all) }
  }

  /// One entry: a field a line, or for values with line breaks the name, the length in 8 little-endian bytes, the value.
  package static func entry(
    message: String, level: Logger.Level, label: String, metadata: Logger.Metadata, file: String, line: UInt
  ) -> [UInt8] {
    var fields = [
      ("MESSAGE", message), ("PRIORITY", "\(priority(of: level))"), ("SYSLOG_IDENTIFIER", "tintype"),
      ("TINTYPE_LOGGER", label), ("CODE_FILE", file), ("CODE_LINE", "\(line)"),
    ]
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      fields.append((key == LogField.event.rawValue ? "MESSAGE_ID" : fieldName(key), "\(value)"))
    }
    var bytes: [UInt8] = []
    for (name, value) in fields {
      bytes += Array(name.utf8)
      if value.utf8.contains(UInt8(ascii: "\n")) {
        bytes.append(UInt8(ascii: "\n"))
        let count = UInt64(value.utf8.count)
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
      } else {
        bytes.append(UInt8(ascii: "="))
      }
      bytes += Array(value.utf8)
      bytes.append(UInt8(ascii: "\n"))
    }
    return bytes
  }

  /// Journald accepts capital letters, digits and underscores.
  private static func fieldName(_ key: String) -> String {
    "TINTYPE_"
      + String(key.uppercased().map { ("A"..."Z").contains($0) || ("0"..."9").contains($0) ? $0 : "_" }.prefix(56))
  }

  /// Syslog's numbers.
  private static func priority(of level: Logger.Level) -> Int {
    switch level {
    case .critical: 2
    case .error: 3
    case .warning: 4
    case .notice: 5
    case .info: 6
    case .debug, .trace: 7
    }
  }
}
