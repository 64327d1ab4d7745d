internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The memory of a ``Tensor``: owned by this object alone, 64-byte aligned, given back with it, to the arena that it
/// came from or to the system.
///
/// A cache line of known values lies before the first and after the last element: a kernel that writes outside
/// of its result destroys it, and ``guardsAreIntact`` tells. Sixteen stores an allocation is nothing.
///
/// Unchecked: after the kernel that allocated it returns, the elements are only read.
@safe package final class TensorStorage: @unchecked Sendable {
  /// The elements.
  package let elements: UnsafeMutableBufferPointer<Float>
  /// Number of elements.
  package var count: Int { unsafe elements.count }

  /// New memory starts as NaN, so that an element that a kernel forgets to write shows. Tests set it.
  package static let poisonsNewMemory = PoisonSwitch()

  private static let guardCount = 16
  private static let guardPattern = Float(bitPattern: 0xDEAD_BEEF)
  /// Tensors from this size on lie on pages of 2 MB where the system has them: filling a 268 MB feature map
  /// for the first time otherwise costs 65 000 page faults.
  private static let hugeByteCount = 8 << 20
  private static let hugePage = 2 << 20

  private let base: UnsafeMutablePointer<Float>
  private let arena: TensorArena?

  /// Whether it lies in an arena that only plans.
  var isPlanned: Bool { arena?.isPlanning == true }

  /// - Parameter arena: nil for memory of its own.
  package init(count: Int, in arena: TensorArena? = nil) {
    let total = count + 2 * Self.guardCount
    let byteCount = total * MemoryLayout<Float>.stride
    let block = unsafe arena?.allocate(byteCount: byteCount)
    self.arena = unsafe block == nil ? nil : arena
    let raw = unsafe block ?? Self.allocate(byteCount: byteCount)
    unsafe base = raw.bindMemory(to: Float.self, capacity: total)
    unsafe elements = UnsafeMutableBufferPointer(start: base + Self.guardCount, count: count)
    // A plan reserves memory and must not fill it.
    if isPlanned { return }
    unsafe base.initialize(repeating: Self.guardPattern, count: Self.guardCount)
    unsafe (base + Self.guardCount + count).initialize(repeating: Self.guardPattern, count: Self.guardCount)
    if Self.poisonsNewMemory.isOn { unsafe elements.initialize(repeating: .nan) }
  }

  deinit {
    let raw = unsafe UnsafeMutableRawPointer(base)
    if let arena {
      unsafe arena.deallocate(raw, byteCount: (count + 2 * Self.guardCount) * MemoryLayout<Float>.stride)
    } else {
      unsafe raw.deallocate()
    }
  }

  private static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    let isHuge = byteCount >= hugeByteCount
    let raw = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: isHuge ? hugePage : 64)
    #if os(Linux)
      // Advice: whether it is taken changes the speed alone.
      if isHuge { unsafe _ = madvise(raw, byteCount, Int32(MADV_HUGEPAGE)) }
    #endif
    return unsafe raw
  }

  /// Whether nothing has been written beside the elements.
  package var guardsAreIntact: Bool {
    (0..<Self.guardCount).allSatisfy { offset in
      unsafe base[offset].bitPattern == Self.guardPattern.bitPattern
        && base[Self.guardCount + count + offset].bitPattern == Self.guardPattern.bitPattern
    }
  }

  /// A flag that any thread may set and read.
  package final class PoisonSwitch: Sendable {
    private let flag = Atomic<Bool>(false)
    /// Off unless a test sets it.
    package var isOn: Bool {
      get { flag.load(ordering: .relaxed) }
      set { flag.store(newValue, ordering: .relaxed) }
    }
  }
}
