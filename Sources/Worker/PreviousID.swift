internal import JobStore
internal import Synchronization

/// The registration that was lost and not yet said goodbye to.
final class PreviousID: Sendable {
  private let value = Mutex<WorkerID?>(nil)

  var id: WorkerID? {
    get { value.withLock { $0 } }
    set { value.withLock { $0 = newValue } }
  }
}
