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
