import Tensors
import Testing

@Suite struct NormTests {
  @Test(arguments: [(1, 1), (2, 2), (5, 1), (6, 3), (32, 32), (40, 8), (24, 2)])
  func groupNorm(channels: Int, groups: Int) throws {
    var numbers = Numbers(seed: 7)
    for (batch, height, width) in [(1, 1, 1), (2, 1, 3), (2, 5, 7), (1, 16, 9)] {
      let x = numbers.tensor([batch, height, width, channels], scale: 3, offset: 1)
      let (scale, bias) = (numbers.tensor([channels]), numbers.tensor([channels]))
      for activation in [Activation.none, .silu] {
        // The statistics are exact to fp32; what remains is a few roundings of the element itself.
        try judge("[\(batch), \(height), \(width)] \(activation)") {
          try $0.groupNorm(x, groups: groups, epsilon: 1e-5, scale: scale, bias: bias, activation: activation)
        }
      }
    }
  }

  /// A mean ten thousand times the deviation: `E[x²] - E[x]²` in fp32 would have no correct digit, and a mean
  /// rounded to fp32 would shift every element by up to 5e-4 deviations.
  @Test(arguments: [Float(1e4), -3e5])
  func farFromZero(_ offset: Float) throws {
    var numbers = Numbers(seed: 8)
    let x = numbers.tensor([1, 24, 24, 16], offset: offset)
    let (scale, bias) = (numbers.tensor([16]), numbers.tensor([16]))
    try judge("group norm about \(offset)") {
      try $0.groupNorm(x, groups: 4, epsilon: 1e-6, scale: scale, bias: bias, activation: .none)
    }
    try judge("layer norm about \(offset)") { try $0.layerNorm(x, epsilon: 1e-6, scale: scale, bias: bias) }
  }

  /// 1.6 million elements a group: a sum that loses bits with its length shows here.
  @Test func largeFeatureMap() throws {
    let device = Trial.devices[1]
    var numbers = Numbers(seed: 9)
    // 0, 1, 0, 1, … about 1000, so that mean and deviation are known: 1000.5 and 0.5.
    let x = Tensor((0..<640 * 640 * 4).map { Float(1000 + $0 / 2 % 2) }, shape: [1, 640, 640, 4])
    let scale = Tensor([1, 1, 1, 1], shape: [4])
    let bias = numbers.tensor([4])
    let result = try device.groupNorm(x, groups: 1, epsilon: 0, scale: scale, bias: bias, activation: .none).array
    let added = bias.array
    var worst: Float = 0
    for index in stride(from: 0, to: result.count, by: 997) {
      let expected: Float = (index / 2 % 2 == 0 ? -1 : 1) + added[index % 4]
      worst = max(worst, abs(result[index] - expected))
    }
    #expect(worst <= 4 * Float.ulpOfOne)
  }

  /// All elements equal: the variance is 0 and ε alone divides.
  @Test func constant() throws {
    let x = Tensor([Float](repeating: 7, count: 3 * 3 * 8), shape: [1, 3, 3, 8])
    let (scale, bias) = (
      Tensor([Float](repeating: 2, count: 8), shape: [8]), Tensor([Float](repeating: 3, count: 8), shape: [8])
    )
    for device in Trial.devices {
      let result = try device.groupNorm(x, groups: 2, epsilon: 1e-6, scale: scale, bias: bias, activation: .none)
      #expect(result.array.allSatisfy { $0 == 3 })
    }
  }

  @Test(arguments: [1, 2, 7, 8, 9, 64, 321])
  func layerNorm(channels: Int) throws {
    var numbers = Numbers(seed: 10)
    let (scale, bias) = (numbers.tensor([channels]), numbers.tensor([channels]))
    for rows in [[1], [3], [2, 11]] {
      let x = numbers.tensor(rows + [channels], scale: 2, offset: -1)
      try judge("\(rows) × \(channels)") { try $0.layerNorm(x, epsilon: 1e-5, scale: scale, bias: bias) }
    }
  }

  /// Several blocks of several runs, registers cut short, more groups than a register has channels.
  @Test(arguments: [(37, 37), (72, 9), (130, 5), (512, 32)])
  func manyPixels(channels: Int, groups: Int) throws {
    var numbers = Numbers(seed: 48)
    let x = numbers.tensor([2, 31, 29, channels], scale: 2, offset: 0.5)
    let (scale, bias) = (numbers.tensor([channels]), numbers.tensor([channels]))
    try judge("\(channels) in \(groups)") {
      try $0.groupNorm(x, groups: groups, epsilon: 1e-5, scale: scale, bias: bias, activation: .silu)
    }
  }

  @Test func notANumberStaysInItsGroup() throws {
    var elements = [Float](repeating: 1, count: 16)
    for index in elements.indices { elements[index] = Float(index % 5) }
    elements[1] = .nan
    let x = Tensor(elements, shape: [1, 2, 2, 4])
    let ones = Tensor([1, 1, 1, 1], shape: [4])
    for device in Trial.devices {
      let result = try device.groupNorm(x, groups: 2, epsilon: 1e-6, scale: ones, bias: ones, activation: .silu).array
      for (index, value) in result.enumerated() { #expect(value.isNaN == (index % 4 < 2)) }
    }
  }
}
