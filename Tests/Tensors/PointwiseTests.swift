import Tensors
import Testing

@Suite struct PointwiseTests {
  /// Every activation over the whole range where it is neither 0 nor x, each element to a few units of its own
  /// last place: errors relative to the largest element would hide the small negative side.
  @Test(arguments: [Activation.none, .silu, .gelu, .quickGELU])
  func activationsAreAccurate(_ activation: Activation) throws {
    // Φ falls off like e^(-x²/2): the rounding of x² alone is worth x²/2 units, so the tail is compared as far as
    // that is a few. silu and quickGELU: the argument of e^x is exact, or rounded once (1.702 x: up to 10 units).
    let range: (Float, Float, Float) =
      switch activation {
      case .gelu: (-4, 12, 16)
      case .quickGELU: (-10, 100, 20)
      default: (-80, 100, 6)
      }
    let count = 20_000
    let inputs = (0..<count).map { range.0 + (range.1 - range.0) * Float($0) / Float(count) }
    let x = Tensor(inputs, shape: [count])
    let expected = try Trial.reference.activate(x, activation).array
    for device in Trial.devices.prefix(2) {
      let found = try device.activate(x, activation).array
      let worst = zip(found, expected).map { abs($0 - $1) / max(abs($1), .leastNormalMagnitude) }.max() ?? 0
      #expect(worst <= range.2 * Float.ulpOfOne, "\(activation)")
    }
  }

  @Test func activationsAtTheEnds() throws {
    let x = Tensor([.nan, .infinity, 1e30, -1e30, 0, -0.0, 0x1p-140, -100, 100, 88.8, -88.8], shape: [11])
    for device in Trial.devices {
      for activation in [Activation.silu, .gelu, .quickGELU] {
        let result = try device.activate(x, activation).array
        #expect(result[0].isNaN)
        #expect(result[1] == .infinity)
        #expect(result[2] == 1e30)
        #expect(result[3] == 0)
        #expect(result[4] == 0 && result[5] == 0)
        #expect(abs(result[6]) <= 0x1p-140)
        #expect(abs(result[7]) < 1e-37)
        #expect(result[8] == 100)
        #expect(result[9] == 88.8)
        #expect(abs(result[10]) < 1e-35)
      }
    }
  }

  @Test(arguments: [1, 7, 8, 9, 50])
  func combineAndBroadcast(count: Int) throws {
    var numbers = Numbers(seed: 14)
    let (x, y) = (numbers.tensor([3, count]), numbers.tensor([3, count]))
    let row = numbers.tensor([count])
    try judge("combine") { try $0.combine(0.3, x, -1.7, y) }
    try judge("addBroadcast, suffix") { try $0.addBroadcast(x, row) }
    try judge("addBroadcast, equal") { try $0.addBroadcast(x, y) }
    try judge("activate") { try $0.activate(x, .gelu) }
  }

  @Test(arguments: [(1, 1), (3, 5), (8, 1), (20, 30)])
  func concatenate(first: Int, second: Int) throws {
    var numbers = Numbers(seed: 15)
    let (a, b) = (numbers.tensor([2, 3, first]), numbers.tensor([2, 3, second]))
    try judge("\(first) + \(second)", factor: 0) { try $0.concatenate(a, b) }
  }

  @Test(arguments: [(1, 1), (6, 8), (5, 9), (2, 3), (13, 4)])
  func upsampleNearest(height: Int, width: Int) throws {
    var numbers = Numbers(seed: 16)
    let x = numbers.tensor([2, 3, 4, 5])
    try judge("\(height) × \(width)", factor: 0) { try $0.upsampleNearest(x, height: height, width: width) }
  }

  @Test(arguments: DType.allCases)
  func embedding(_ dtype: DType) throws {
    var numbers = Numbers(seed: 17)
    let table = numbers.parameter([11, 5], dtype)
    try judge("embedding", factor: 0) { try $0.embedding([[0, 10, 3], [3, 3, 1]], table: table) }
  }
}
