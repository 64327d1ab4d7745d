internal import JobStore
internal import Jobs
internal import Logging
internal import Postgres

/// Writes how an attempt ended, or makes sure that nothing of it is left.
struct Completer: Sendable {
  /// Removes what a result left on disk.
  typealias Discard = @Sendable (Job, JobResult) async throws -> Void

  let reports: Reports
  let discard: Discard
  let tally: JobTally
  let logger: Logger

  /// Asks until the database answers: the guard on the attempt id makes a late answer as safe as an early one, and a
  /// finished picture is worth waiting for. Only an answer allows to remove it; an unanswered question may have been
  /// heard.
  func complete(_ attempt: RunningAttempt, _ verdict: AttemptVerdict) async {
    switch verdict {
    case .drop(let result): await drop(attempt, result)
    case .finish(let outcome): await finish(attempt, outcome)
    }
  }

  private func finish(_ attempt: RunningAttempt, _ outcome: JobOutcome) async {
    var outcome = outcome
    while true {
      do {
        let report = AttemptReport(attempt: attempt.job.attemptID, job: attempt.job.id, outcome: outcome)
        switch try await reports.deliver(report, by: attempt.workerID) {
        case .applied(let state): return log(attempt, outcome, state: "\(state)")
        case .leaseLost: return await drop(attempt, outcome.result)
        }
      } catch let error as PostgresError where error.isRetryable {
        logger.warning(
          "cannot record an outcome; trying again",
          metadata: attempt.fields([.error: error.message]))
        do { try await Task.sleep(for: Duration.milliseconds(500).jittered()) } catch { return abandon(attempt, error) }
      } catch is CancellationError {
        return abandon(attempt, CancellationError())
      } catch {
        // The database refuses this very outcome, so it would refuse it for ever.
        guard case .failed(let failure) = outcome, failure.code == Self.unrecordable else {
          await removeFiles(attempt, outcome.result)
          outcome = .failed(
            JobError(
              code: Self.unrecordable, message: "the outcome could not be recorded: \(error)", isPermanent: false))
          continue
        }
        return abandon(attempt, error)
      }
    }
  }

  private static let unrecordable = "outcome_refused"

  /// The worker ends and nobody knows whether the outcome was recorded. Files stay: an orphan wastes space, a missing
  /// picture loses a job.
  private func abandon(_ attempt: RunningAttempt, _ error: any Error) {
    logger.error(
      "an outcome could not be recorded; the lease will end and the job run again",
      metadata: attempt.fields([.error: "\(error)"]))
  }

  private func drop(_ attempt: RunningAttempt, _ result: JobResult?) async {
    tally.outcomeDropped()
    logger.warning(
      "the lease was lost, so the outcome is dropped", metadata: attempt.fields([:], event: .outcomeDropped))
    await removeFiles(attempt, result)
  }

  private func removeFiles(_ attempt: RunningAttempt, _ result: JobResult?) async {
    guard let result else { return }
    do {
      try await discard(attempt.job, result)
    } catch {
      logger.error(
        "pictures of a lost attempt could not be removed; nothing refers to them",
        metadata: attempt.fields([.error: "\(error)"]))
    }
  }

  /// One line a job.
  private func log(_ attempt: RunningAttempt, _ outcome: JobOutcome, state: String) {
    let duration = ContinuousClock.now - attempt.started
    tally.ended(outcome, after: duration)
    var line = attempt.fields([.queue: attempt.job.queue, .state: state, .seconds: rounded(duration.seconds)])
    switch outcome {
    case .succeeded(let result):
      let timings = result.timings.sorted { $0.key < $1.key }.map { "\($0.key)=\(rounded($0.value))" }
      line.merge(Logger.Metadata([.timings: timings.joined(separator: " ")], event: .jobFinished)) { _, new in new }
      logger.info("job succeeded", metadata: line)
    case .failed(let error):
      line.merge(Logger.Metadata([.code: error.code, .error: error.message], event: .jobFailed)) { _, new in new }
      logger.warning("job failed", metadata: line)
    case .cancelled: logger.info("job cancelled", metadata: line)
    case .released: logger.info("job given back", metadata: line)
    }
  }

  private func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}

extension JobOutcome {
  /// The pictures, of a success.
  fileprivate var result: JobResult? { if case .succeeded(let result) = self { result } else { nil } }
}
