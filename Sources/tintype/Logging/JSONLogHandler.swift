import Foundation
import Logging

/// One JSON object a line on standard error, for collectors that read a container's output: `time`, `level`, `message` and
/// the metadata's keys.
struct JSONLogHandler: LogHandler {
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var merged = metadata
    if let provided = metadataProvider?.get() { merged.merge(provided) { _, new in new } }
    if let own = event.metadata { merged.merge(own) { _, new in new } }
    var object = merged.mapValues(\.description)
    if let error = event.error { object["error"] = "\(error)" }
    object["time"] = Date.now.formatted(.iso8601.time(includingFractionalSeconds: true))
    object["level"] = event.level.rawValue
    object["message"] = event.message.description
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(object) else { return }
    StandardError.write(String(decoding: data, as: UTF8.self) + "\n")
  }
}
