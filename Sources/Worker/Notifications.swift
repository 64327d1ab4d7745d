internal import JobStore
internal import Logging
internal import Postgres

/// Turns the database's notifications into earlier looks. Nothing depends on them: without, jobs are found by the poll and
/// orders by the heartbeat.
struct Notifications: Sendable {
  let session: PostgresSession
  let queues: Set<String>
  let registration: Registration
  let events: ProducerEvents
  let pulse: Pulse
  let logger: Logger

  /// Until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      do {
        try await session.listen(to: [JobStore.readyChannel, JobStore.controlChannel]) { event in
          switch event {
          case .listening:
            events.woken()
            pulse.request()
          case .notification(let note) where note.channel == JobStore.readyChannel:
            if queues.contains(note.payload) { events.woken() }
          case .notification(let note):
            if note.payload == registration.workerID?.description { pulse.request() }
          }
        }
      } catch is CancellationError {
        return
      } catch {
        logger.warning("cannot listen; work is found by polling", metadata: .init([.error: "\(error)"]))
        try? await Task.sleep(for: Duration.seconds(30).jittered())
      }
    }
  }
}
