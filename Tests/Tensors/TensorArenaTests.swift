import Tensors
import Testing

/// The memory of a run's tensors.
@Suite struct TensorArenaTests {
  /// Length of a tensor of `lines` cache lines, its two guards not counted.
  private static func tensor(_ lines: Int) -> Tensor { Tensor(uninitialized: [lines * 16]) }

  private static func inArena(_ body: (TensorArena) throws -> Void) throws {
    let arena = try #require(TensorArena(reserved: 64 << 20))
    try TensorArena.$current.withValue(arena) { try body(arena) }
  }

  @Test func memoryIsUsedAgainBestFitFirst() throws {
    try Self.inArena { arena in
      var tensors: [Tensor?] = [100, 10, 40, 10, 20, 10].map { Self.tensor($0) }
      let lengths = [102, 12, 42, 12, 22, 12].map { $0 * 64 }
      #expect(arena.usage == .init(peakLive: lengths.reduce(0, +), extent: lengths.reduce(0, +)))
      (tensors[0], tensors[2], tensors[4]) = (nil, nil, nil)
      // Fits into all three holes; the smallest is the right one.
      let small = Self.tensor(20)
      let large = Self.tensor(100)
      let medium = Self.tensor(30)
      #expect(arena.usage.extent == lengths.reduce(0, +), "a hole was not used")
      #expect(arena.liveBytes == lengths.reduce(0, +) - 10 * 64)
      withExtendedLifetime((tensors, small, large, medium)) {}
    }
  }

  @Test func neighbouringHolesBecomeOne() throws {
    try Self.inArena { arena in
      var tensors: [Tensor?] = [10, 10, 10, 10].map { Self.tensor($0) }
      let extent = arena.usage.extent
      // The middle one last: it joins the holes on both sides.
      (tensors[0], tensors[2]) = (nil, nil)
      tensors[1] = nil
      let joined = Self.tensor(34)
      #expect(arena.usage.extent == extent)
      withExtendedLifetime((tensors, joined)) {}
    }
    try Self.inArena { arena in
      do { _ = Self.tensor(1000) }
      #expect(arena.liveBytes == 0)
      arena.restart()
      #expect(arena.usage == .init(peakLive: 0, extent: 0))
    }
  }

  /// Blocks of all lengths, kept for varying times: none may overlap another.
  @Test func livingTensorsKeepTheirElements() throws {
    try Self.inArena { arena in
      var living: [(tensor: Tensor, value: Float)] = []
      var state: UInt32 = 7
      for round in 0..<2000 {
        state = state &* 1_664_525 &+ 1_013_904_223
        let length = Int(state >> 20) + 1
        living.append((Tensor([Float](repeating: Float(round), count: length), shape: [length]), Float(round)))
        if living.count > 20 { living.remove(at: Int(state >> 8) % living.count) }
        if round.isMultiple(of: 100) { arena.trim() }
      }
      for (tensor, value) in living {
        #expect(tensor.array.allSatisfy { $0 == value })
        #expect(tensor.storage.guardsAreIntact)
      }
      living = []
      #expect(arena.liveBytes == 0)
    }
  }

  @Test func aFullArenaLeavesTensorsToTheSystem() throws {
    let arena = try #require(TensorArena(reserved: 2 << 20))
    TensorArena.$current.withValue(arena) {
      let tensors = (0..<3).map { _ in Tensor([Float](repeating: 3, count: 200_000), shape: [200_000]) }
      #expect(arena.liveBytes < 2 << 20)
      #expect(tensors.allSatisfy { $0.array.allSatisfy { $0 == 3 } })
    }
    #expect(arena.liveBytes == 0)
  }

  /// What a plan reserves it does not touch: 16 GB of it are no burden.
  @Test func planningTouchesNothing() throws {
    let arena = try #require(TensorArena(isPlanning: true))
    let before = try #require(ProcessMemory.resident)
    TensorArena.$current.withValue(arena) {
      for _ in 0..<4 { withExtendedLifetime(Tensor(uninitialized: [1 << 30])) {} }
      let together = (0..<4).map { _ in Tensor(uninitialized: [1 << 30]) }
      withExtendedLifetime(together) {}
    }
    #expect(arena.usage.peakLive >= 16 << 30)
    #expect(arena.usage.peakLive < 16 << 30 + 4096)
    // Other tests of this process allocate meanwhile, but no gigabytes.
    #expect(try #require(ProcessMemory.resident) - before < 1 << 30)
  }
}
