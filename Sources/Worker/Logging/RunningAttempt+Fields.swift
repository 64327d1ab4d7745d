internal import Jobs
internal import Logging

extension RunningAttempt {
  /// A log line's fields about this attempt: which job, which attempt, and the trace that the submitter began.
  func fields(
    _ others: KeyValuePairs<LogField, any CustomStringConvertible & Sendable>, event: LogEventID? = nil
  ) -> Logger.Metadata {
    var fields = Logger.Metadata([.job: job.id, .attempt: job.attemptID], event: event)
    if let traceparent = job.traceparent { fields[LogField.traceparent.rawValue] = "\(traceparent)" }
    return fields.merging(Logger.Metadata(others)) { _, new in new }
  }
}
