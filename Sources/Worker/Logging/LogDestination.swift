public import Logging

/// Where log lines go.
public enum LogDestination: String, Sendable, CaseIterable {
  /// journald's socket, with fields.
  case journal
  /// Lines on standard error.
  case terminal

  /// The journal when standard error is connected to it, else the terminal.
  public static func detected(environment: [String: String]) -> LogDestination {
    JournaldLogHandler.isJournal(environment: environment) ? .journal : .terminal
  }

  /// A handler for `LoggingSystem.bootstrap`.
  public func handler(label: String, level: Logger.Level = .info) -> any LogHandler {
    var handler: any LogHandler =
      switch self {
      case .journal: JournaldLogHandler(label: label)
      case .terminal: TerminalLogHandler(label: label)
      }
    handler.logLevel = level
    return handler
  }
}
