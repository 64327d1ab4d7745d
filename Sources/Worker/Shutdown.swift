internal import Synchronization

/// The way out, in one direction: running, draining, stopping. Asked for by signals, by the database and by the worker.
final class Shutdown: Sendable {
  private let firstReason = Mutex<String?>(nil)
  /// No new job; those that run may finish.
  let draining = Gate()
  /// Running jobs stop at their next block and are given back.
  let stopping = Gate()

  /// Why, as first said.
  var reason: String { firstReason.withLock { $0 } ?? "" }

  func drain(_ reason: String) {
    firstReason.withLock { $0 = $0 ?? reason }
    draining.open()
  }

  func stop(_ reason: String) {
    drain(reason)
    stopping.open()
  }
}
