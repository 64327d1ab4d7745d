import Glibc

/// Held by one process at a time; the kernel lets go of it when the process ends, however it ends.
final class FolderLock {
  private var descriptor: Int32

  /// Waits until the lock is free.
  ///
  /// - Parameter path: a file made for the purpose; it stays, empty.
  init(path: String) throws {
    descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else {
      throw CommandError(.cannotCreate, "\(path) cannot be locked: \(unsafe String(cString: strerror(errno))).")
    }
  }

  deinit { release() }

  /// The second time does nothing.
  func release() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }
}
