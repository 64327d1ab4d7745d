import ArgumentParser
import Foundation
import Logging
import Worker

/// `--log-level` and `--log-format`.
struct LogOptions: ParsableArguments {
  @Option(name: Settings.logLevel.name, help: Settings.logLevel.help) var logLevel: LogLevel?
  @Option(name: Settings.logFormat.name, help: Settings.logFormat.help) var logFormat: LogFormat?

  /// The process's root logger. Libraries' loggers go the same way.
  func bootstrap() throws -> Logger {
    let level = try Settings.logLevel.require(logLevel).level
    let destination: LogDestination
    switch try Settings.logFormat.require(logFormat) {
    case .json:
      LoggingSystem.bootstrap { (_: String) -> any LogHandler in
        var handler = JSONLogHandler()
        handler.logLevel = level
        return handler
      }
      return Logger(label: "tintype")
    case .text: destination = .terminal
    case .journal: destination = .journal
    case .auto: destination = .detected(environment: ProcessInfo.processInfo.environment)
    }
    LoggingSystem.bootstrap { destination.handler(label: $0, level: level) }
    return Logger(label: "tintype")
  }
}
