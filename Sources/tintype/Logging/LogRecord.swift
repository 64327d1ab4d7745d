import Logging

/// One record as every format writes it: metadata of the handler, the provider and the call, merged and sorted.
struct LogRecord {
  let level: Logger.Level
  let message: String
  let fields: [(key: String, value: String)]

  init(_ event: LogEvent, handler: Logger.Metadata, provider: Logger.MetadataProvider?) {
    level = event.level
    message = event.message.description
    var merged = handler
    if let provided = provider?.get() { merged.merge(provided) { _, new in new } }
    if let own = event.metadata { merged.merge(own) { _, new in new } }
    if let error = event.error { merged["error"] = "\(error)" }
    fields = merged.map { ($0.key, $0.value.description) }.sorted { $0.0 < $1.0 }
  }
}

/// Where records go: one of the formats.
protocol LogSink: Sendable {
  func write(_ record: LogRecord)
}

/// The value type that swift-log wants, in front of one shared sink.
struct SinkLogHandler: LogHandler {
  let sink: any LogSink
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  init(sink: any LogSink, level: Logger.Level) {
    self.sink = sink
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    sink.write(LogRecord(event, handler: metadata, provider: metadataProvider))
  }
}
