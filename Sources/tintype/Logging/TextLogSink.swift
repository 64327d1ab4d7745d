import Foundation
import Logging

/// Lines for people, on standard error: time, level, message, then `key=value`.
struct TextLogSink: LogSink {
  func write(_ record: LogRecord) {
    let time = Date.now.formatted(.iso8601.time(includingFractionalSeconds: true).timeZoneSeparator(.omitted))
    var line = "\(time) \(record.level.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)) "
    line += PlainText.escapingControls(record.message)
    for field in record.fields {
      let value = PlainText.escapingControls(field.value)
      line += " \(field.key)=" + (value.contains(" ") || value.isEmpty ? "'\(value)'" : value)
    }
    StandardError.write(line + "\n")
  }
}

/// One JSON object a line, on standard error: `time`, `level`, `message` and the metadata's keys.
struct JSONLogSink: LogSink {
  func write(_ record: LogRecord) {
    var object = Dictionary(record.fields, uniquingKeysWith: { _, last in last })
    object["time"] = Date.now.formatted(.iso8601.time(includingFractionalSeconds: true))
    object["level"] = record.level.rawValue
    object["message"] = record.message
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(object) else { return }
    StandardError.write(String(decoding: data, as: UTF8.self) + "\n")
  }
}
