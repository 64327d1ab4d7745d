internal import JobStore
internal import Jobs
internal import Logging
internal import Synchronization

/// Keeps the lease, carries progress there and orders back. It has a connection of its own, so that a slow claim cannot
/// cost the lease.
///
/// Control travels in the reply and not by NOTIFY: a lost notification costs seconds, never a cancel.
struct Heartbeat: Sendable {
  let store: JobStore
  let registration: Registration
  let registrar: Registrar
  let attempts: RunningAttempts
  let configuration: WorkerConfiguration
  let shutdown: Shutdown
  let events: ProducerEvents
  let pulse: Pulse
  let logger: Logger

  /// Beats until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      pulse.beat()
      var pause = configuration.heartbeatInterval.jittered()
      do {
        if let workerID = registration.workerID {
          try await beat(workerID)
        } else if try await registrar.registerAgain() {
          events.woken()
        } else {
          pause = min(pause, .milliseconds(250))
        }
      } catch is CancellationError {
        return
      } catch {
        pause = min(pause, Duration.seconds(1).jittered())
        logger.warning("no heartbeat; trying again", metadata: .init([.error: "\(error)", .seconds: pause.seconds]))
      }
      // Notifications may come in bursts; a heartbeat a second is the most that the table should bear.
      let shortest = min(pause, .seconds(1))
      try? await Task.sleep(for: shortest)
      await pulse.waitForRequest(atMost: pause - shortest)
    }
  }

  private func beat(_ workerID: WorkerID) async throws {
    let running = attempts.all.filter { $0.workerID == workerID }
    let sent = ContinuousClock.now
    let reply = try await store.heartbeat(worker: workerID, running: running.map(\.report))
    // The answer may be so late that the lease was given up meanwhile; then it is about a past that is over.
    guard registration.workerID == workerID else { return }
    if reply.fenced {
      registrar.lose(workerID, because: "the database has given this worker up")
      return
    }
    registration.acknowledged(workerID, sent: sent)
    attempts.stop(reply.cancel, .cancelled)
    attempts.stop(reply.revoked, .leaseLost)
    if reply.drain { shutdown.drain("the database asked for it") }
  }
}

/// The heartbeat's loop as others see it: when it last turned, and a bell to make it turn sooner.
final class Pulse: Sendable {
  private let last = Mutex(ContinuousClock.now)
  private let wake = Wake()

  /// When the loop last turned.
  var lastBeat: ContinuousClock.Instant { last.withLock { $0 } }

  func beat() { last.withLock { $0 = .now } }

  /// Something waits in the database.
  func request() { wake.ring() }

  func waitForRequest(atMost limit: Duration) async { await wake.wait(for: limit) }
}

extension RunningAttempt {
  /// What the heartbeat says about it.
  fileprivate var report: AttemptProgress {
    let progress = progress
    return AttemptProgress(
      attemptID: job.attemptID, phase: progress.phase, step: progress.step, fraction: progress.fraction)
  }
}
