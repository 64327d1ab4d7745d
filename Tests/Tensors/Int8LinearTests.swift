import Tensors
import Testing

@Suite struct Int8LinearTests {
  struct Layer: Sendable, CustomTestStringConvertible {
    let rows: Int, inputs: Int, outputs: Int
    var testDescription: String { "\(rows) × \(inputs) → \(outputs)" }
  }

  /// Ones, every height of a tile, less and more than a group of inputs, one column block and several parts.
  static let layers =
    [1, 2, 3, 5, 8, 13, 14, 15, 29].flatMap { rows in
      [1, 40, 64, 131].flatMap { inputs in [32, 96].map { Layer(rows: rows, inputs: inputs, outputs: $0) } }
    } + (4...12).map { Layer(rows: $0, inputs: 64, outputs: 32) } + [Layer(rows: 40, inputs: 577, outputs: 160)]

  /// The twin adds in 64-bit integers and rounds as the kernels promise to, so nothing may differ: not by instruction set, not by
  /// pieces, not by threads.
  @Test(arguments: layers)
  func everyInstructionSetGivesTheSameBits(_ layer: Layer) throws {
    var numbers = Numbers(seed: 1)
    let x = numbers.tensor([layer.rows, layer.inputs], scale: 3, offset: 0.7)
    let weight = quantized(numbers.parameter([layer.outputs, layer.inputs], .float16))
    let reference = Trial.reference
    let expected = try reference.linear(x, reference.linearWeights(weight, bias: nil)).array.map(\.bitPattern)
    for device in Trial.devices {
      let result = try device.linear(x, device.linearWeights(weight, bias: nil))
      #expect(result.storage.guardsAreIntact)
      #expect(result.array.map(\.bitPattern) == expected, "\(device.choice.instructionSet)")
    }
  }

  @Test(arguments: [Layer(rows: 1, inputs: 7, outputs: 32), Layer(rows: 31, inputs: 70, outputs: 96)])
  func everyFusion(_ layer: Layer) throws {
    var numbers = Numbers(seed: 2)
    let x = numbers.tensor([layer.rows, layer.inputs])
    let weight = quantized(numbers.parameter([layer.outputs, layer.inputs]))
    let bias = numbers.parameter([layer.outputs])
    for activation in [Activation.none, .silu, .gelu, .quickGELU, .geglu] {
      let residual = numbers.tensor([layer.rows, activation == .geglu ? layer.outputs / 2 : layer.outputs])
      for (hasBias, hasResidual) in [(false, false), (true, false), (false, true), (true, true)] {
        try judge("\(activation), bias \(hasBias), residual \(hasResidual)", depth: layer.inputs) { device in
          let weights = try device.linearWeights(weight, bias: hasBias ? bias : nil)
          return try device.linear(x, weights, activation: activation, residual: hasResidual ? residual : nil)
        }
      }
    }
  }

  /// The largest bytes on both sides over the longest row: the sum nearly fills 32 bits.
  @Test func longestSumFits() throws {
    let depth = 66_560
    #expect(QuantizedParameter.canHold([32, depth]))
    #expect(!QuantizedParameter.canHold([32, depth + 1]))
    let weight = quantized(makeParameter([Float](repeating: 1, count: 32 * depth), [32, depth]))
    let x = Tensor([Float](repeating: 2, count: depth), shape: [1, depth])
    for device in Trial.devices {
      let result = try device.linear(x, device.linearWeights(weight, bias: nil)).array
      // Both are exact multiples of their scales; only the scales' own roundings remain.
      #expect(result.allSatisfy { abs($0 / Float(2 * depth) - 1) < 1e-6 }, "\(device.choice.instructionSet)")
    }
  }

  /// A row's error is that of its own rounding: at most half a step of inputs times the weights, and the reverse.
  @Test func errorIsThatOfRounding() throws {
    var numbers = Numbers(seed: 3)
    let (rows, depth, outputs) = (9, 200, 64)
    let x = numbers.tensor([rows, depth])
    let parameter = numbers.parameter([outputs, depth])
    let device = Trial.devices[0]
    let exact = try device.linear(x, device.linearWeights(parameter, bias: nil)).array
    let rounded = try device.linear(x, device.linearWeights(quantized(parameter), bias: nil)).array
    // Inputs lie in -1...1, so a step is at most 2 / 254, of weights 1 / 127; neither factor exceeds 1.
    let bound = Float(depth) * (0.5 * 2 / 254 + 0.5 / 127) * 1.01
    for (a, b) in zip(exact, rounded) { #expect(abs(a - b) <= bound) }
    #expect(zip(exact, rounded).contains { $0 != $1 }, "int8 layers must not be fp32 ones by another name")
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func notFinitePropagates(_ value: Float) throws {
    var numbers = Numbers(seed: 4)
    var elements = numbers.array(3 * 70)
    elements[70 + 69] = value
    let weight = quantized(numbers.parameter([32, 70]))
    for device in Trial.devices {
      let result = try device.linear(Tensor(elements, shape: [3, 70]), device.linearWeights(weight, bias: nil)).array
      for (index, element) in result.enumerated() {
        #expect(32..<64 ~= index ? element.isNaN : element.isFinite)
      }
    }
  }

  @Test func weightsThatAreNotFiniteSpoilTheirOutputAlone() throws {
    var numbers = Numbers(seed: 5)
    var elements = numbers.array(32 * 10)
    elements[7 * 10 + 3] = .infinity
    let device = Trial.devices[0]
    let weights = try device.linearWeights(quantized(makeParameter(elements, [32, 10])), bias: nil)
    let result = try device.linear(numbers.tensor([2, 10]), weights).array
    for (index, element) in result.enumerated() { #expect(element.isNaN == (index % 32 == 7)) }
  }

  @Test func zerosStayZero() throws {
    let device = Trial.devices[0]
    let zero = quantized(makeParameter([Float](repeating: 0, count: 32 * 5), [32, 5]))
    var numbers = Numbers(seed: 6)
    #expect(
      try device.linear(numbers.tensor([3, 5]), device.linearWeights(zero, bias: nil)).array.allSatisfy { $0 == 0 })
    let weight = quantized(numbers.parameter([32, 5]))
    let x = Tensor([Float](repeating: 0, count: 15), shape: [3, 5])
    let result = try device.linear(x, device.linearWeights(weight, bias: nil))
    #expect(result.array == [Float](repeating: 0, count: 96))
  }
}

/// A weight in int8, in memory of its own.
func quantized(_ parameter: Parameter) -> QuantizedParameter {
  let owner = AlignedBytes(count: QuantizedParameter.byteCount(parameter.shape))
  unsafe QuantizedParameter.quantize(parameter, into: owner.buffer)
  return unsafe QuantizedParameter(
    name: parameter.name, shape: parameter.shape, bytes: UnsafeRawBufferPointer(owner.buffer), owner: owner)
}

/// Unchecked, but nobody writes it once the weight exists.
@safe private final class AlignedBytes: @unchecked Sendable {
  let buffer: UnsafeMutableRawBufferPointer

  init(count: Int) { unsafe buffer = .allocate(byteCount: count, alignment: 64) }

  deinit { unsafe buffer.deallocate() }
}
