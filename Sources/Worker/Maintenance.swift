internal import JobStore
internal import Logging

/// Calls the queue's maintenance: scheduled jobs become ready, those of vanished workers are rescued. Every worker does it
/// and the database lets one at a time, so there is no leader to elect and none to lose.
struct Maintenance: Sendable {
  let store: JobStore
  let interval: Duration
  let logger: Logger

  /// Until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      do {
        let report = try await store.maintain()
        if report.workersLost + report.rescued + report.timedOut > 0 {
          logger.notice(
            "rescued jobs: \(report.workersLost) workers lost, \(report.rescued) jobs taken back, \(report.timedOut) overdue"
          )
        }
      } catch is CancellationError {
        return
      } catch {
        // The heartbeat, which depends on the same database, already says so.
        logger.debug("maintenance failed", metadata: .init([.error: "\(error)"]))
      }
      try? await Task.sleep(for: interval.jittered())
    }
  }
}
