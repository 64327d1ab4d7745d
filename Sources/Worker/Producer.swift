internal import JobStore
internal import Jobs
internal import Logging
internal import Synchronization

/// Takes jobs from the queue for free slots and starts them.
struct Producer: Sendable {
  let store: JobStore
  let registration: Registration
  let attempts: RunningAttempts
  let executor: Executor
  let configuration: WorkerConfiguration
  let models: [String]
  /// Which of them are in memory; nil if nobody knows.
  let loadedModels: @Sendable () -> [String]?
  let events: ProducerEvents
  let logger: Logger

  /// Claims until there is a reason to end, and returns once no job runs any more.
  func run() async -> ProducerState.Ending {
    await withDiscardingTaskGroup { group in
      var state = ProducerState(
        slots: configuration.slots, maxJobs: configuration.maxJobs, idleExit: configuration.idleExit, now: .now)
      // In a cancelled task no wait waits any more; the group itself still does, for the jobs that run.
      while !Task.isCancelled {
        let news = events.take()
        for _ in 0..<news.endedJobs { state.jobEnded(at: .now) }
        if news.isWoken { state.woken(at: .now) }
        if news.isDraining { state.drain() }
        let workerID = registration.valid(at: .now)
        switch state.action(at: .now, holdsLease: workerID != nil) {
        case .claim(let limit):
          guard let workerID else { continue }
          for attempt in await claim(limit, as: workerID, &state) {
            group.addTask {
              await executor.run(attempt)
              events.jobEnded()
            }
          }
        case .wait(let deadline):
          await events.wait(until: deadline)
        case .end(let ending):
          return ending
        }
      }
      return .drained
    }
  }

  private func claim(_ limit: Int, as workerID: WorkerID, _ state: inout ProducerState) async -> [RunningAttempt] {
    let poll = configuration.pollInterval.jittered()
    do {
      let jobs = try await store.claim(
        worker: workerID, queues: configuration.queues, models: models, limit: limit, loaded: loadedModels(),
        alike: configuration.claimsAlike)
      state.claimed(jobs.count, of: limit, at: .now, poll: poll)
      return jobs.map { job in
        let attempt = RunningAttempt(job: job, workerID: workerID)
        attempts.insert(attempt)
        // The lease may have been lost while the answer was under way; whoever stopped all attempts missed this one.
        if registration.workerID != workerID { attempt.stop(.leaseLost) }
        return attempt
      }
    } catch {
      // What the database may have claimed for us nevertheless is not in any heartbeat, so it gives it back by itself.
      logger.warning("cannot claim jobs; trying again", metadata: .init([.error: "\(error)", .seconds: poll.seconds]))
      state.claimFailed(at: .now, poll: poll)
      return []
    }
  }
}

/// What happened since the producer last looked. Facts are kept, not counted as wake-ups, so none gets lost.
final class ProducerEvents: Sendable {
  struct News {
    var endedJobs = 0
    var isWoken = false
    var isDraining = false
  }

  private let news = Mutex(News())
  private let wake = Wake()

  /// There may be work.
  func woken() { note { $0.isWoken = true } }

  /// A slot is free.
  func jobEnded() { note { $0.endedJobs += 1 } }

  /// No more claims.
  func drain() { note { $0.isDraining = true } }

  func wait(until deadline: ContinuousClock.Instant?) async { await wake.wait(until: deadline) }

  /// The news, once; draining stays.
  func take() -> News {
    news.withLock { news in
      defer { news = News(isDraining: news.isDraining) }
      return news
    }
  }

  private func note(_ change: (inout News) -> Void) {
    news.withLock { change(&$0) }
    wake.ring()
  }
}
