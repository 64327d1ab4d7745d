internal import Logging

/// The metadata keys of Tintype's log lines; in the journal `TINTYPE_JOB` and so on.
///
/// No key holds a prompt: what people ask for is theirs, and logs are kept and shipped.
public enum LogField: String, Sendable, CaseIterable {
  case job, attempt, queue, worker, model, phase, state, outcome, code, error, host
  /// A job's own, from its metadata: W3C Trace Context.
  case traceparent
  /// Seconds by phase, and in total.
  case timings, seconds
  /// A `LogEvent.ID`; becomes `MESSAGE_ID`.
  case event
}

/// What a log line is about, in 128 random bits: `journalctl MESSAGE_ID=…` finds all of a kind, whatever their words.
public enum LogEventID: String, Sendable, CaseIterable {
  case workerReady = "5c8d0f0d3b7f4a0f9f0b5c1c4a1f6e21"
  case workerStopped = "0a6f3c29f8c84b7f8f0c4f2b6d1c9e83"
  case jobFinished = "d3c1f7a94e5b4a628f5b0a7c2e9d6b14"
  case jobFailed = "8e2b6d5f1c3a4f0bb7d94a6e0f8c2537"
  case leaseLost = "f1a7c3e85d2b49608c6e1d0b9a4f7352"
  case outcomeDropped = "3b9e5a1d7c0f48e2a6d4f8b2c1e07396"
  case databaseLost = "6d4f2b8a0e9c4713b5a1c7e3f9d86052"
  case databaseBack = "b7e3d9c15a2f4068914c8f6b0d2a7e5c"
  case stalled = "c5a0e8f27b6d4391a2f7d1b4e9830c6f"
}

extension Logger {
  /// Adds a field to every line of a logger.
  subscript(_ field: LogField) -> Logger.Metadata.Value? {
    get { self[metadataKey: field.rawValue] }
    set { self[metadataKey: field.rawValue] = newValue }
  }
}

extension Dictionary where Key == String, Value == Logger.Metadata.Value {
  /// Metadata from fields.
  init(_ fields: KeyValuePairs<LogField, any CustomStringConvertible & Sendable>, event: LogEventID? = nil) {
    self.init()
    for (field, value) in fields { self[field.rawValue] = "\(value)" }
    if let event { self[LogField.event.rawValue] = "\(event.rawValue)" }
  }
}
