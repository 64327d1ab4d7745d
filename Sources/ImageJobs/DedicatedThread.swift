internal import Foundation
internal import Synchronization

/// One thread that runs an actor's jobs in order.
///
/// A forward pass keeps a thread busy for seconds, an fsync on a busy disk too. On Swift's cooperative pool, which has one
/// thread per core, that starves everything else: a tick of 0.1 s was measured 3 s late, and a heartbeat that late loses
/// the lease.
final class DedicatedThread: SerialExecutor {
  private let queue = Queue()

  /// Starts the thread.
  ///
  /// - Parameter name: shown by `ps -L` and debuggers; at most 15 bytes.
  init(name: String) {
    let thread = Thread { [queue] in
      while let work = queue.next() { work() }
    }
    thread.name = name
    // Foundation's default of 512 KiB is too small for the vendor libraries called below it.
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// The thread ends once what is queued has run.
  deinit { queue.close() }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = unsafe asUnownedSerialExecutor()
    queue.append { unsafe job.runSynchronously(on: executor) }
  }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor { unsafe UnownedSerialExecutor(ordinary: self) }

  /// What the thread waits on.
  private final class Queue: Sendable {
    private struct State {
      var work: [@Sendable () -> Void] = []
      var isClosed = false
    }
    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)

    func append(_ body: @escaping @Sendable () -> Void) {
      state.withLock { $0.work.append(body) }
      available.signal()
    }

    func close() {
      state.withLock { $0.isClosed = true }
      available.signal()
    }

    func next() -> (@Sendable () -> Void)? {
      available.wait()
      return state.withLock { $0.work.isEmpty ? nil : $0.work.removeFirst() }
    }
  }
}
