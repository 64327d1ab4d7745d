import Tensors
import Testing

/// Linear layers in pairs of 16-bit integers.
@Suite struct RoundedLinearTests {
  /// An error of 0.41 · √K steps of both operands, for stretches of K inputs, is 1.3e-5 of the product of their norms. Of numbers
  /// between -1 and 1 that is 200 units in the last place of √K at most, and six times less than allowed of a result of that size.
  private static let factor: Float = 400

  @Test(arguments: LinearTests.layers + [LinearTests.Layer(rows: 33, inputs: 300, outputs: 70)], DType.allCases)
  func everyFusion(_ layer: LinearTests.Layer, _ dtype: DType) throws {
    var numbers = Numbers(seed: 81)
    let x = numbers.tensor([layer.rows, layer.inputs])
    let weight = numbers.parameter([layer.outputs, layer.inputs], dtype)
    let bias = numbers.parameter([layer.outputs], dtype)
    for activation in [Activation.none, .silu, .geglu] {
      let width = activation == .geglu ? layer.outputs / 2 : layer.outputs
      let residual = numbers.tensor([layer.rows, width])
      try judge("\(activation)", depth: layer.inputs, factor: Self.factor) { device in
        try device.linear(
          x, device.linearWeights(weight, bias: bias, .int16), activation: activation, residual: residual)
      }
    }
  }

  /// What kernels promise, in double precision: each stretch of 128 inputs of a row and of an output is rounded to steps of a 32,700th
  /// of its norm. In fp32 a few of the numbers fall on the other side of the middle between two steps.
  @Test(arguments: [1, 96, 128, 200, 512])
  func roundingIsTheModels(inputs: Int) throws {
    var numbers = Numbers(seed: 82)
    let (rows, outputs) = (9, 7)
    let (x, weights) = (numbers.array(rows * inputs), numbers.array(outputs * inputs))
    func product(_ round: ([Double]) -> [Double]) -> [Double] {
      let columns = (0..<outputs).map { output in
        round(weights[output * inputs..<(output + 1) * inputs].map(Double.init))
      }
      return (0..<rows).flatMap { row in
        let row = round(x[row * inputs..<(row + 1) * inputs].map(Double.init))
        return columns.map { zip(row, $0).reduce(0) { $0 + $1.0 * $1.1 } }
      }
    }
    let (exact, rounded) = (product { $0 }, product(Self.rounded))
    let rounding = Self.difference(rounded, exact)
    for device in RoundedConvolutionTests.devices {
      let result = try device.linear(
        Tensor(x, shape: [rows, inputs]),
        device.linearWeights(makeParameter(weights, [outputs, inputs]), bias: nil, .int16))
      // A lone input is as large as its norm, so nothing is left to round but fp32's own 24 bits.
      let error = Self.difference(result.array.map(Double.init), rounded)
      #expect(error < max(rounding / 10, 2e-7), "\(error) of \(rounding), \(device.choice.instructionSet)")
      #expect(inputs == 1 || rounding > 1e-5)
    }
  }

  /// All products of a sum have the same sign and the largest size that there is. Every element is rounded the same way, half a step of
  /// 32,700 / √128 at worst, of both operands: 3.5e-4 together.
  @Test(arguments: [16, 128, 129, 1024])
  func sumsDoNotOverflow(inputs: Int) throws {
    let x = Tensor([Float](repeating: 3, count: 20 * inputs), shape: [20, inputs])
    let weight = makeParameter([Float](repeating: -0.5, count: 40 * inputs), [40, inputs])
    try judge("\(inputs) inputs", factor: 3500) { try $0.linear(x, $0.linearWeights(weight, bias: nil, .int16)) }
  }

  @Test(arguments: [Float.nan, .infinity])
  func notFinitePropagates(_ value: Float) throws {
    var elements = [Float](repeating: 1, count: 120)
    elements[64] = value
    for device in RoundedConvolutionTests.devices {
      let weights = try device.linearWeights(
        makeParameter([Float](repeating: 2, count: 80), [2, 40]), bias: nil, .int16)
      let result = try device.linear(Tensor(elements, shape: [3, 40]), weights).array
      #expect(result.map(\.isFinite) == [true, true, false, false, true, true], "\(device.choice.instructionSet)")
      let zeros = Tensor([Float](repeating: 0, count: 40), shape: [1, 40])
      #expect(try device.linear(zeros, weights).array == [0, 0])
    }
  }

  private static func rounded(_ values: [Double]) -> [Double] {
    stride(from: 0, to: values.count, by: 128).flatMap { first -> [Double] in
      let part = values[first..<min(first + 128, values.count)]
      let step = part.reduce(0) { $0 + $1 * $1 }.squareRoot() / 32_700
      return part.map { step > 0 ? ($0 / step).rounded(.toNearestOrEven) * step : $0 }
    }
  }

  private static func difference(_ a: [Double], _ b: [Double]) -> Double {
    (zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(a.count)).squareRoot()
  }
}
