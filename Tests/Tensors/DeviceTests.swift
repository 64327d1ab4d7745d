import Tensors
import Testing

@Suite struct TensorStorageTests {
  /// The sentinels must see what they are there for.
  @Test(arguments: [1, 16, 1000])
  func guardsSeeAWriteOutside(count: Int) {
    let storage = TensorStorage(count: count)
    #expect(storage.guardsAreIntact)
    #expect(unsafe UInt(bitPattern: storage.elements.baseAddress) % 64 == 0)
    if let base = unsafe storage.elements.baseAddress {
      for offset in [-1, -16, count, count + 15] {
        let kept = unsafe base[offset]
        unsafe base[offset] = 0
        #expect(!storage.guardsAreIntact)
        unsafe base[offset] = kept
        #expect(storage.guardsAreIntact)
      }
    }
  }

  @Test func newMemoryIsPoisoned() {
    _ = Trial.devices
    #expect(Tensor(uninitialized: [3, 4]).array.allSatisfy { $0.isNaN })
  }

  @Test func largeMemory() {
    let tensor = Tensor(uninitialized: [5 << 20])
    #expect(tensor.storage.guardsAreIntact)
    #expect(tensor.count == 5 << 20)
  }
}

@Suite struct ScratchTests {
  /// The working memory is lent again, and two loans at once are two buffers.
  @Test func devicesServeSeveralCallers() async throws {
    var numbers = Numbers(seed: 18)
    let device = Trial.devices[3]
    let x = numbers.tensor([9, 30])
    let weight = numbers.parameter([40, 30], .float16)
    let weights = try device.linearWeights(weight, bias: nil)
    let expected = try device.linear(x, weights).array
    try await withThrowingTaskGroup(of: [Float].self) { group in
      for _ in 0..<8 { group.addTask { try device.linear(x, weights).array } }
      for try await result in group { #expect(result == expected) }
    }
  }
}
