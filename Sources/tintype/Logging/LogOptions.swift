import ArgumentParser
import Logging

/// `--log-level` and `--log-format`.
struct LogOptions: ParsableArguments {
  @Option(name: Settings.logLevel.name, help: Settings.logLevel.help) var logLevel: LogLevel?
  @Option(name: Settings.logFormat.name, help: Settings.logFormat.help) var logFormat: LogFormat?

  /// The process's root logger. Libraries' loggers go the same way.
  func bootstrap() throws -> Logger {
    let level = try Settings.logLevel.require(logLevel).level
    let sink: any LogSink = try Self.sink(Settings.logFormat.require(logFormat))
    LoggingSystem.bootstrap { (_: String) -> any LogHandler in SinkLogHandler(sink: sink, level: level) }
    return Logger(label: "tintype")
  }

  private static func sink(_ format: LogFormat) throws -> any LogSink {
    switch format {
    case .text: return TextLogSink()
    case .json: return JSONLogSink()
    case .auto:
      if JournalLogSink.isStandardError, let journal = JournalLogSink() { return journal }
      return TextLogSink()
    case .journal:
      guard let journal = JournalLogSink() else {
        throw CommandError(
          .unavailable, "--log-format journal: nothing listens on \(JournalLogSink.socketPath).",
          remedy: "Use --log-format text or json where systemd is not running.")
      }
      return journal
    }
  }
}
