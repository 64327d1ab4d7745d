internal import JobStore
internal import Logging

/// Begins and ends registrations. Each has an id of its own, also within one process: what was lost under an old one stays
/// lost, however the network delivers late messages.
struct Registrar: Sendable {
  let store: JobStore
  let registration: Registration
  let attempts: RunningAttempts
  let configuration: WorkerConfiguration
  let models: [String]
  let processID: Int32
  let logger: Logger
  /// The id that was lost last.
  let previous = PreviousID()

  /// Registers this process.
  func register() async throws {
    let sent = ContinuousClock.now
    let id = try await store.register(
      WorkerRegistration(
        name: configuration.name, host: configuration.host, processID: processID, version: configuration.version,
        queues: configuration.queues, models: models, slots: configuration.slots, lease: configuration.lease))
    registration.began(id, sent: sent)
    logger.info("registered", metadata: .init([.worker: id]))
  }

  /// Registers anew after a lost lease, once everything that ran under the old registration has ended: till then the
  /// slots are not free, and an outcome may still be on its way.
  ///
  /// - Returns: false when it is too early.
  func registerAgain() async throws -> Bool {
    if let old = previous.id {
      guard !attempts.all.contains(where: { $0.workerID == old }) else { return false }
      // What was claimed but never heard of here can run elsewhere at once.
      try await store.stop(worker: old)
      previous.id = nil
    }
    try await register()
    return true
  }

  /// Gives a registration up: everything under it stops, and nothing is written.
  func lose(_ workerID: WorkerID, because reason: String) {
    guard registration.lost(workerID) else { return }
    previous.id = workerID
    attempts.stopAll(of: workerID, .leaseLost)
    logger.error("lease lost: \(reason)", metadata: .init([.worker: workerID], event: .leaseLost))
  }

  /// Gives the lease up in time when no heartbeat is answered, whatever the connection is stuck in. Runs until the task
  /// is cancelled.
  func guardLease() async {
    while !Task.isCancelled {
      guard let workerID = registration.workerID, let deadline = registration.deadline else {
        try? await Task.sleep(for: configuration.lease * 0.1)
        continue
      }
      // In short steps: a timer may stand still while the machine sleeps, though the clock that counts here does not.
      try? await Task.sleep(until: min(deadline, .now + .seconds(1)), clock: .continuous)
      guard !Task.isCancelled, registration.workerID == workerID, registration.valid(at: .now) == nil else { continue }
      lose(workerID, because: "no heartbeat was answered in time")
    }
  }
}
