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
      var pause = interval.jittered()
      do {
        let report = try await store.maintain(unlessWithin: .seconds(1))
        if report.workersLost + report.rescued + report.timedOut > 0 {
          logger.notice(
            "rescued jobs: \(report.workersLost) workers lost, \(report.rescued) jobs taken back, \(report.timedOut) overdue"
          )
        }
        // Sooner when a scheduled job is due sooner; jitter on top, or all workers would come at once.
        pause = min(pause, max(report.nextDue ?? pause, .milliseconds(100)) + Duration.milliseconds(50).jittered(1))
      } catch is CancellationError {
        return
      } catch {
        // The heartbeat, which depends on the same database, already says so.
        logger.debug("maintenance failed", metadata: .init([.error: "\(error)"]))
      }
      try? await Task.sleep(for: pause)
    }
  }
}
