import Tensors
import Testing

/// Convolutions in 16-bit integers: the rounding itself, and what integers could do wrong and fp32 could not.
@Suite struct RoundedConvolutionTests {
  static let devices: [CPUDevice] = Trial.devices.filter { $0.pool.threads <= 2 }

  /// What kernels promise, in double precision: a stretch of 128 channels of each tile and of each output is rounded at each
  /// frequency. The kernels' transforms in fp32 move a number by some ten-thousandths of a step, so as many of the numbers fall on the
  /// other side of the middle between two integers, a whole step away where the usual error is a √12th of one: √(12 · 3e-4) = 6 % of all
  /// that is rounded, which must come to ten times that difference.
  @Test(arguments: [96, 256])
  func roundingIsTheModels(inputs: Int) throws {
    var numbers = Numbers(seed: 71)
    let (side, outputs) = (12, 5)
    let x = numbers.tensor([1, side, side, inputs])
    let elements = numbers.array(outputs * inputs * 9)
    let weight = makeParameter(elements, [outputs, inputs, 3, 3])
    let source = RoundedModel(side: side, inputs: inputs, outputs: outputs, x: x.array, weights: elements)
    let (exact, rounded) = (source.convolve(stretch: nil), source.convolve(stretch: 128))
    let rounding = Self.difference(rounded, exact)
    #expect(rounding > 0)
    for device in Self.devices {
      let result = try device.conv2D(x, device.conv2DWeights(weight, bias: nil, .int16), Conv2DGeometry(padding: 1))
      let found = result.array.map(Double.init)
      #expect(Self.difference(found, rounded) < rounding / 10, "\(device.choice.instructionSet)")
    }
  }

  /// All products of a sum have the same sign and the largest size that there is: sums reach their bound, and no further.
  @Test(arguments: [16, 128, 129, 1024])
  func sumsDoNotOverflow(inputs: Int) throws {
    let x = Tensor([Float](repeating: 3, count: 6 * 7 * inputs), shape: [1, 6, 7, inputs])
    let weight = makeParameter([Float](repeating: -0.5, count: 20 * inputs * 9), [20, inputs, 3, 3])
    // Every element is rounded the same way, so errors do not average out, whatever the number of channels: half a step of
    // 32,700 / √128 each, two operands, ten times that after the transform to pixels: 0.36 %. An overflow is off by more than all.
    try judge("\(inputs) channels", factor: 30_000) {
      try $0.conv2D(x, $0.conv2DWeights(weight, bias: nil, .int16), Conv2DGeometry(padding: 1))
    }
  }

  /// A stretch whose norm is that of one channel: the largest integer that there is.
  @Test func loneChannels() throws {
    var numbers = Numbers(seed: 72)
    var elements = [Float](repeating: 0, count: 8 * 8 * 64)
    for pixel in 0..<64 { elements[pixel * 64 + 17] = numbers.next() * 1e6 }
    let x = Tensor(elements, shape: [1, 8, 8, 64])
    let weight = numbers.parameter([3, 64, 3, 3])
    try judge("one channel", depth: 9 * 64, factor: WinogradTests.factor(.int16)) {
      try $0.conv2D(x, $0.conv2DWeights(weight, bias: nil, .int16), Conv2DGeometry(padding: 1))
    }
  }

  /// Nothing to divide by, and nothing that can be divided.
  @Test func nothingAndInfinity() throws {
    var numbers = Numbers(seed: 73)
    let weight = numbers.parameter([7, 32, 3, 3])
    let bias = numbers.parameter([7])
    let zeros = Tensor([Float](repeating: 0, count: 64 * 32), shape: [1, 8, 8, 32])
    for device in Self.devices {
      let weights = try device.conv2DWeights(weight, bias: bias, .int16)
      let blank = try device.conv2D(zeros, weights, Conv2DGeometry(padding: 1)).array
      let expected = try device.vector(bias).array
      #expect(blank == (0..<64).flatMap { _ in expected }, "\(device.choice.instructionSet)")
      for value in [Float.infinity, -.infinity, .nan] {
        var elements = zeros.array
        elements[(3 * 8 + 3) * 32 + 9] = value
        let result = try device.conv2D(
          Tensor(elements, shape: [1, 8, 8, 32]), weights, Conv2DGeometry(padding: 1)
        ).array
        let touched = (0..<7).map { result[(3 * 8 + 3) * 7 + $0] }
        #expect(touched.allSatisfy { !$0.isFinite }, "\(value) on \(device.choice.instructionSet)")
      }
    }
  }

  private static func difference(_ a: [Double], _ b: [Double]) -> Double {
    (zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(a.count)).squareRoot()
  }
}
