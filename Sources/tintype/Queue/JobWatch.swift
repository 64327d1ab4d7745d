import JobStore
import Jobs

/// Follows one job from the outside, with a progress bar on a terminal.
struct JobWatch {
  let store: JobStore
  let job: Int64

  /// Asks twice a second: the row is the truth, and a listener would still have to ask after a lost connection.
  func untilEnded() async throws -> JobDetails {
    let bar = ProgressBar()
    defer { bar.finish() }
    while true {
      guard let details = try await store.show(job: job) else { throw JobReport.notFound(job) }
      if details.job.state.isTerminal { return details }
      let phase = details.job.state == .running ? details.job.phase ?? "starting" : details.job.state.rawValue
      bar.update("job \(job): \(phase)", fraction: details.job.progress ?? 0)
      try await Task.sleep(for: .milliseconds(500))
    }
  }
}
