import Tensors
import Testing

@Suite struct LinearTests {
  struct Layer: Sendable, CustomTestStringConvertible {
    let rows: Int, inputs: Int, outputs: Int
    var testDescription: String { "\(rows) × \(inputs) → \(outputs)" }
  }

  /// Ones, odd sizes, and more than one panel and tile of the small devices (16 outputs each).
  static let layers = [1, 2, 19].flatMap { rows in
    [1, 7, 40].flatMap { inputs in [2, 6, 34].map { Layer(rows: rows, inputs: inputs, outputs: $0) } }
  }

  @Test(arguments: layers, DType.allCases)
  func everyFusion(_ layer: Layer, _ dtype: DType) throws {
    var numbers = Numbers(seed: 1)
    let x = numbers.tensor([layer.rows, layer.inputs])
    let weight = numbers.parameter([layer.outputs, layer.inputs], dtype)
    let bias = numbers.parameter([layer.outputs], dtype)
    for activation in [Activation.none, .silu, .gelu, .quickGELU, .geglu] {
      let width = activation == .geglu ? layer.outputs / 2 : layer.outputs
      let residual = numbers.tensor([layer.rows, width])
      for (hasBias, hasResidual) in [(false, false), (true, false), (false, true), (true, true)] {
        try judge("\(activation), bias \(hasBias), residual \(hasResidual)", depth: layer.inputs) { device in
          let weights = try device.linearWeights(weight, bias: hasBias ? bias : nil)
          return try device.linear(x, weights, activation: activation, residual: hasResidual ? residual : nil)
        }
      }
    }
  }

  @Test func keepsLeadingDimensions() throws {
    var numbers = Numbers(seed: 2)
    let x = numbers.tensor([2, 3, 5, 4])
    let weight = numbers.parameter([6, 4])
    try judge("[2, 3, 5, 4]", depth: 4) { try $0.linear(x, $0.linearWeights(weight, bias: nil)) }
  }

  /// Large enough for several tiles of the usual size.
  @Test func usualTiles() throws {
    var numbers = Numbers(seed: 3)
    let x = numbers.tensor([601, 48])
    let weight = numbers.parameter([530, 48], .float16)
    try judge("601 × 48 → 530", depth: 48) { try $0.linear(x, $0.linearWeights(weight, bias: nil)) }
    try judge("601 × 48 → 530, gated", depth: 48) {
      try $0.linear(x, $0.linearWeights(weight, bias: nil), activation: .geglu)
    }
  }

  /// Every weight of 16 bits on its way through blocks that are transposed: each result is one of them.
  @Test(arguments: [DType.float16, .bfloat16])
  func everyWordIsExact(_ dtype: DType) throws {
    let inputs = 16, outputs = (1 << 16) / 16
    let values: [Float] = (0..<1 << 16).map { pattern in
      let value =
        dtype == .float16 ? Float(Float16(bitPattern: UInt16(pattern))) : Float(bitPattern: UInt32(pattern) << 16)
      // One that is not finite would make all results of its output NaN.
      return value.isFinite ? value : 0
    }
    let weight = makeParameter(values, [outputs, inputs], dtype)
    let identity = Tensor(
      (0..<inputs * inputs).map { $0.isMultiple(of: inputs + 1) ? 1 : 0 }, shape: [inputs, inputs])
    for device in Trial.devices {
      let found = try device.linear(identity, device.linearWeights(weight, bias: nil)).array
      let isExact = found.indices.allSatisfy { found[$0] == values[$0 % outputs * inputs + $0 / outputs] }
      #expect(isExact, "\(device.choice.instructionSet)")
    }
  }

  /// What batches of pictures rely on: a row's bits are the same whatever stands above and below it.
  @Test func rowsAreIndependent() throws {
    var numbers = Numbers(seed: 4)
    let (inputs, outputs) = (600, 70)
    let rows = numbers.array(154 * inputs)
    let weight = numbers.parameter([outputs, inputs], .float16)
    for device in Trial.devices {
      let weights = try device.linearWeights(weight, bias: nil)
      func results(_ range: Range<Int>) throws -> [UInt32] {
        let x = Tensor(
          Array(rows[range.lowerBound * inputs..<range.upperBound * inputs]), shape: [range.count, inputs])
        return try device.linear(x, weights).array.map(\.bitPattern)
      }
      let all = try results(0..<154)
      for part in [0..<77, 77..<154, 13..<14, 140..<153] {
        #expect(try results(part) == Array(all[part.lowerBound * outputs..<part.upperBound * outputs]), "\(part)")
      }
    }
  }

  @Test(arguments: [Float.nan, .infinity])
  func notFinitePropagates(_ value: Float) throws {
    var elements = [Float](repeating: 1, count: 6)
    elements[4] = value
    let device = Trial.devices[1]
    let weights = try device.linearWeights(makeParameter([1, 2, 3], [1, 3]), bias: nil)
    let result = try device.linear(Tensor(elements, shape: [2, 3]), weights).array
    #expect(result[0] == 6)
    #expect(value.isNaN ? result[1].isNaN : result[1] == .infinity)
  }
}
