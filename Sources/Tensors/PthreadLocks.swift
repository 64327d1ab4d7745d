#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A mutex at a fixed address, which the pthread functions require.
///
/// `Synchronization.Mutex` cannot be waited on together with a condition, hence these two; and the thread
/// sanitizer knows them.
@safe package final class PthreadMutex: @unchecked Sendable {
  fileprivate let pointer: UnsafeMutablePointer<pthread_mutex_t>

  package init() {
    unsafe pointer = .allocate(capacity: 1)
    unsafe pointer.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(pointer, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(pointer)
    unsafe pointer.deallocate()
  }

  func lock() { unsafe pthread_mutex_lock(pointer) }
  func unlock() { unsafe pthread_mutex_unlock(pointer) }

  package func withLock<R>(_ body: () throws -> R) rethrows -> R {
    lock()
    defer { unlock() }
    return try body()
  }
}

/// A condition variable at a fixed address.
@safe final class PthreadCondition: @unchecked Sendable {
  private let pointer: UnsafeMutablePointer<pthread_cond_t>

  init() {
    unsafe pointer = .allocate(capacity: 1)
    unsafe pointer.initialize(to: pthread_cond_t())
    unsafe pthread_cond_init(pointer, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(pointer)
    unsafe pointer.deallocate()
  }

  func broadcast() { unsafe pthread_cond_broadcast(pointer) }
  /// Releases `mutex`, sleeps, and holds it again on return, which may come without a broadcast.
  func wait(_ mutex: PthreadMutex) { unsafe pthread_cond_wait(pointer, mutex.pointer) }
}
