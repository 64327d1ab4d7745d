internal import Glibc
public import Logging

/// Lines for a person, on standard error: time, level, message, then `name=value` pairs.
public struct TerminalLogHandler: LogHandler {
  /// The least severe level that is written.
  public var logLevel: Logger.Level = .info
  /// Added to every line.
  public var metadata: Logger.Metadata = [:]
  /// Asked at every line.
  public var metadataProvider: Logger.MetadataProvider?
  private let usesColour: Bool
  private let write: @Sendable (String) -> Void

  /// - Parameters:
  ///   - label: unused; a process has one logger.
  ///   - write: where a line goes, with its line break; standard error unless a test looks.
  public init(label: String, write: (@Sendable (String) -> Void)? = nil) {
    let isPlain = unsafe getenv("NO_COLOR") != nil
    usesColour = write == nil && isatty(2) == 1 && !isPlain
    self.write = write ?? Self.writeToStandardError
  }

  /// One entry of `metadata`.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes one line.
  public func log(event: Logging.LogEvent) {
    log(event: event, metadata: mergedMetadata(metadata, provider: metadataProvider, event: event))
  }

  func log(event: Logging.LogEvent, metadata: Logger.Metadata) {
    write(
      Self.timeOfDay() + " " + Self.line("\(event.message)", level: event.level, metadata: metadata, colour: usesColour)
        + "\n")
  }

  /// Local time of day, `hh:mm:ss`.
  private static func timeOfDay() -> String {
    var now = time(nil)
    var parts = unsafe tm()
    _ = unsafe localtime_r(&now, &parts)
    let numbers = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec]
    return numbers.map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
  }

  /// A line without its time.
  package static func line(
    _ message: String, level: Logger.Level, metadata: Logger.Metadata, colour: Bool
  ) -> String {
    let name = "\(level)".padding(to: 7)
    let (start, end) =
      switch (colour, level) {
      case (true, .critical), (true, .error): ("\u{1B}[31m", "\u{1B}[0m")
      case (true, .warning): ("\u{1B}[33m", "\u{1B}[0m")
      default: ("", "")
      }
    let fields = metadata.filter { $0.key != LogField.event.rawValue }.sorted { $0.key < $1.key }
      .map { " \($0.key)=\(quoted("\($0.value)"))" }
    // A line break in a message would let a job forge a line of its own.
    return start + name + end + " " + message.replacing("\n", with: "⏎") + fields.joined()
  }

  private static func quoted(_ value: String) -> String {
    let needsQuotes = value.isEmpty || value.contains { $0.isWhitespace || $0 == "\"" || $0 == "=" }
    return needsQuotes
      ? "\"" + value.replacing("\"", with: "\\\"").replacing("\n", with: "⏎") + "\"" : value
  }

  /// One write call a line, so that lines of several processes do not mix.
  @Sendable private static func writeToStandardError(_ line: String) {
    let bytes = Array(line.utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

/// A line's metadata: the logger's, the provider's, the call's; later ones win.
func mergedMetadata(
  _ metadata: Logger.Metadata, provider: Logger.MetadataProvider?, event: Logging.LogEvent
) -> Logger.Metadata {
  var all = metadata
  if let provided = provider?.get() { all.merge(provided) { _, new in new } }
  if let own = event.metadata { all.merge(own) { _, new in new } }
  if let error = event.error { all[LogField.error.rawValue] = "\(error)" }
  return all
}
