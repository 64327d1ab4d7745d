internal import Jobs
internal import Logging

/// Runs one attempt to its end: the handler against the stop request and the deadline. Whatever happens becomes a value,
/// `AttemptVerdict`, in one place.
struct Executor: Sendable {
  let handler: JobHandler
  let attempts: RunningAttempts
  let completer: Completer
  let logger: Logger

  /// The attempt is already in `attempts`, so that no heartbeat in between leaves it out.
  func run(_ attempt: RunningAttempt) async {
    let place = attempt.fields([.worker: attempt.workerID])
    logger.debug("attempt begins", metadata: place)
    let end = await runHandler(attempt)
    logger.debug("attempt's work has ended", metadata: place)
    let verdict = AttemptVerdict(end, stop: attempt.handlerReturned(), timeout: attempt.job.timeout)
    await completer.complete(attempt, verdict)
    attempts.remove(attempt)
  }

  private func runHandler(_ attempt: RunningAttempt) async -> Result<JobResult, any Error> {
    await withTaskGroup(of: Result<JobResult, any Error>?.self) { group in
      group.addTask {
        do { return .success(try await handler(attempt.job, attempt)) } catch { return .failure(error) }
      }
      group.addTask {
        await attempt.waitForStop()
        return nil
      }
      if let timeout = attempt.job.timeout {
        group.addTask {
          // A cancelled sleep is no deadline.
          if (try? await Task.sleep(until: attempt.started + .seconds(timeout), clock: .continuous)) != nil {
            attempt.stop(.deadline)
          }
          return nil
        }
      }
      for await end in group {
        // A request to stop cancels the handler; its answer is still awaited, for only then is the slot free.
        group.cancelAll()
        if let end { return end }
      }
      preconditionFailure("the handler's task ends with a result")
    }
  }
}
