#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Where the tensors of a run live: one range of addresses, handed out best fit first and used again.
///
/// Asked for each tensor, the system would hand out zeroed pages each time: for one full-size picture some 15 GB of
/// zeros that nobody reads. Here a page is zeroed once in the life of a worker. And because the same run asks for the
/// same blocks in the same order, the range that it needs is known to the byte before it starts: a
/// ``PlanningDevice`` walks through an arena of its own that never touches its pages.
///
/// Unchecked: everything that changes is touched under `mutex` alone.
@safe package final class TensorArena: @unchecked Sendable {
  /// Tensors made inside of ``TaskLocal/withValue(_:operation:file:line:)`` live in this arena; others in memory of
  /// their own.
  @TaskLocal package static var current: TensorArena?

  /// Free bytes between blocks, in the order of addresses; neighbours are joined.
  private var holes: [(offset: Int, length: Int)] = []
  /// Where the last block ends.
  private var end = 0
  private var peakEnd = 0
  private var used = 0
  private var peakUsed = 0
  /// Bytes from the start that may be read and written.
  private var committed = 0
  private let base: UnsafeMutableRawPointer
  private let reserved: Int
  private let mutex = PthreadMutex()

  /// Whether blocks are only counted: their pages are never touched, so they cost nothing.
  package let isPlanning: Bool

  private static let hugePage = 2 << 20

  /// Reserves addresses, no memory. Nil where the system refuses even those; tensors then get memory of their own.
  ///
  /// - Parameter reserved: most bytes that can be handed out at once.
  package init?(reserved: Int = 256 << 30, isPlanning: Bool = false) {
    let length = reserved + Self.hugePage
    let address = unsafe mmap(nil, length, PROT_NONE, MAP_PRIVATE | Self.anonymous, -1, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else { return nil }
    let start = unsafe address.alignedUp(toMultipleOf: Self.hugePage)
    // The ends that do not belong to a whole large page go back, so that the range to unmap is known from `base`.
    if unsafe start > address { unsafe munmap(address, start - address) }
    let tail = unsafe length - (start - address) - reserved
    if tail > 0 { unsafe munmap(start + reserved, tail) }
    #if os(Linux)
      if !isPlanning { unsafe _ = madvise(start, reserved, Int32(MADV_HUGEPAGE)) }
    #endif
    unsafe base = start
    self.reserved = reserved
    self.isPlanning = isPlanning
  }

  deinit { unsafe munmap(base, reserved) }

  #if canImport(Darwin)
    private static let anonymous = MAP_ANON
  #else
    private static let anonymous = MAP_ANONYMOUS
  #endif

  /// A block of uninitialised bytes, aligned to a cache line; nil when the range or the system's memory is used up.
  func allocate(byteCount: Int) -> UnsafeMutableRawPointer? {
    let length = Self.blockLength(byteCount)
    return unsafe mutex.withLock {
      let offset: Int
      if let index = bestHole(length) {
        offset = holes[index].offset
        holes[index].offset += length
        holes[index].length -= length
        if holes[index].length == 0 { holes.remove(at: index) }
      } else {
        guard commit(end + length) else { return nil }
        offset = end
        end += length
        peakEnd = max(peakEnd, end)
      }
      used += length
      peakUsed = max(peakUsed, used)
      return unsafe base + offset
    }
  }

  /// Takes a block back; its pages stay for the next one.
  func deallocate(_ block: UnsafeMutableRawPointer, byteCount: Int) {
    let length = Self.blockLength(byteCount)
    mutex.withLock {
      used -= length
      insertHole(offset: unsafe block - base, length: length)
      if let last = holes.last, last.offset + last.length == end {
        end = last.offset
        holes.removeLast()
      }
    }
  }

  /// What an arena has held.
  package struct Usage: Sendable, Equatable {
    /// Most bytes in blocks at one time.
    package let peakLive: Int
    /// End of the highest block ever: the memory that the arena needs, holes included.
    package let extent: Int

    package init(peakLive: Int, extent: Int) {
      self.peakLive = peakLive
      self.extent = extent
    }
  }

  /// Since the last ``restart()``.
  package var usage: Usage { mutex.withLock { Usage(peakLive: peakUsed, extent: peakEnd) } }

  /// Bytes in blocks now.
  package var liveBytes: Int { mutex.withLock { used } }

  /// Bytes whose pages may be in place, at most.
  package var heldBytes: Int { mutex.withLock { committed } }

  /// Begins to measure anew, before a run.
  package func restart() { mutex.withLock { (peakUsed, peakEnd) = (used, end) } }

  /// Gives pages back that the run since ``restart()`` did not reach, so that one huge picture does not keep its
  /// memory for ever, while runs of one size after another never lose theirs.
  package func trim() {
    mutex.withLock {
      let keep = (max(peakEnd, end) + Self.hugePage - 1) / Self.hugePage * Self.hugePage
      guard keep < committed else { return }
      unsafe _ = madvise(base + keep, committed - keep, Self.discard)
      unsafe mprotect(base + keep, committed - keep, PROT_NONE)
      committed = keep
    }
  }

  #if os(Linux)
    private static let discard = Int32(MADV_DONTNEED)
  #else
    private static let discard = MADV_FREE
  #endif

  private static func blockLength(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }

  /// The smallest hole that is long enough.
  private func bestHole(_ length: Int) -> Int? {
    var best: Int?
    for index in holes.indices where holes[index].length >= length {
      if let found = best, holes[found].length <= holes[index].length { continue }
      best = index
    }
    return best
  }

  private func insertHole(offset: Int, length: Int) {
    let index = holes.firstIndex { $0.offset > offset } ?? holes.count
    holes.insert((offset, length), at: index)
    if index + 1 < holes.count, offset + length == holes[index + 1].offset {
      holes[index].length += holes[index + 1].length
      holes.remove(at: index + 1)
    }
    if index > 0, holes[index - 1].offset + holes[index - 1].length == offset {
      holes[index - 1].length += holes[index].length
      holes.remove(at: index)
    }
  }

  /// Makes the first `length` bytes usable, some large pages at a time.
  private func commit(_ length: Int) -> Bool {
    guard length > committed else { return true }
    let granule = 16 * Self.hugePage
    let wanted = min(reserved, (length + granule - 1) / granule * granule)
    guard wanted >= length else { return false }
    guard unsafe mprotect(base + committed, wanted - committed, PROT_READ | PROT_WRITE) == 0 else { return false }
    committed = wanted
    return true
  }
}
