/// Working memory of the kernels, kept between calls.
///
/// Asking the system each time would cost a page fault for every 4 KB, which is as long as copying them twice.
/// Buffers come in powers of two and are handed out under a lock, so that any number of threads can ask; what
/// is kept is what was in use at once at the busiest moment.
///
/// Unchecked: `free` and `held` are touched under `mutex` alone. A pthread mutex, because the thread sanitizer does not see
/// the one of `Synchronization` and would report every loan as a race.
final class Scratch: @unchecked Sendable {
  /// Free buffers by size.
  private var free: [Int: [TensorStorage]] = [:]
  private var held = 0
  private let mutex = PthreadMutex()

  /// Lends `count` floats, 64-byte aligned and uninitialised, for the length of `body`.
  func withBuffer<R>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> R) -> R {
    let size = max(1 << 14, count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount))
    let storage = mutex.withLock { free[size]?.popLast() } ?? make(size)
    defer { mutex.withLock { free[size, default: []].append(storage) } }
    guard let base = unsafe storage.elements.baseAddress else { preconditionFailure("an empty buffer") }
    return unsafe body(base)
  }

  private func make(_ size: Int) -> TensorStorage {
    mutex.withLock { held += size * MemoryLayout<Float>.stride }
    return TensorStorage(count: size)
  }

  /// Bytes of all buffers, lent or free.
  var byteCount: Int { mutex.withLock { held } }
}
