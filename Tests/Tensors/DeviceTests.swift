import Tensors
import Testing

@Suite struct MatrixLibraryCheckTests {
  /// Plain loops, with one element of one kind of product spoilt on request.
  private func multiply(_ product: MatrixLibraryCheck.Product, spoilt: (MatrixLibraryCheck.Product) -> Bool) -> [Float]
  {
    var result: [Float] = []
    for row in 0..<product.rows {
      for column in 0..<product.columns {
        var sum: Float = product.isAccumulating ? product.initial : 0
        for index in 0..<product.depth {
          let b = product.isTransposed ? column * product.depth + index : index * product.columns + column
          sum += product.a[row * product.depth + index] * product.b[b]
        }
        result.append(sum)
      }
    }
    if spoilt(product) { result[result.count - 1] += 1 }
    return result
  }

  /// Loops over 300³ take seconds in a debug build. So larger products come back empty, and a library that is
  /// right up to there is first found out at 300.
  private func fault(spoilt: (MatrixLibraryCheck.Product) -> Bool) -> String? {
    MatrixLibraryCheck.fault { $0.rows < 300 && $0.columns < 300 ? multiply($0, spoilt: spoilt) : [] }
  }

  @Test func findsASingleWrongElement() {
    #expect(fault { _ in false }?.hasPrefix("300 × 300") == true)
    #expect(fault { $0.rows == 17 }?.hasPrefix("17 × 17 × 17, second operand transposed") == true)
    #expect(fault { $0.rows == 64 && !$0.isTransposed }?.hasPrefix("64 × 64 × 64, plain") == true)
    #expect(fault { $0.columns == 18 && $0.isAccumulating }?.hasPrefix("3 × 18 × 16") == true)
  }

  /// A library that adds to what must be overwritten, and one that leaves NaN.
  @Test func oldContentMustNotMatter() {
    #expect(MatrixLibraryCheck.fault { [Float](repeating: $0.initial, count: $0.rows * $0.columns) } != nil)
  }

  @Test func thisMachinePasses() throws { _ = try CPUDevice(threads: 1) }
}

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
