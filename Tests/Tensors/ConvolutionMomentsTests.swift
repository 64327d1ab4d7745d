import Tensors
import Testing

/// A norm behind a convolution takes the moments that the convolution has added up, and must be the norm of the map that it wrote.
@Suite struct ConvolutionMomentsTests {
  struct Map: Sendable, CustomTestStringConvertible {
    let batch: Int, height: Int, width: Int, outputs: Int
    var isDoubled = false
    var testDescription: String { "\(batch) of \(height)×\(width)×\(outputs)\(isDoubled ? ", doubled" : "")" }
  }

  static let maps = [
    Map(batch: 1, height: 4, width: 4, outputs: 32), Map(batch: 2, height: 9, width: 13, outputs: 40),
    Map(batch: 1, height: 37, width: 70, outputs: 36), Map(batch: 2, height: 23, width: 41, outputs: 64),
    Map(batch: 1, height: 1, width: 3, outputs: 8, isDoubled: true),
    Map(batch: 2, height: 19, width: 27, outputs: 40, isDoubled: true),
  ]

  /// - Parameter offset: far from zero `E[x²] - E[x]²` would be all rounding; about a number near the mean it is as exact as anywhere.
  @Test(arguments: maps, [Float(0), 5000])
  func theNormIsThatOfTheMap(_ map: Map, offset: Float) throws {
    var numbers = Numbers(seed: 91)
    let x = numbers.tensor([map.batch, map.height, map.width, 16])
    let weight = numbers.parameter([map.outputs, 16, 3, 3], .float16)
    let (height, width) = map.isDoubled ? (2 * map.height, 2 * map.width) : (map.height, map.width)
    let residual = numbers.tensor([map.batch, height, width, map.outputs], offset: offset)
    let geometry = Conv2DGeometry(padding: 1, resizedTo: map.isDoubled ? (height, width) : nil)
    let (scale, bias) = (numbers.tensor([map.outputs]), numbers.tensor([map.outputs]))
    let norm = GroupNormalization(groups: 4, epsilon: 1e-6, scale: scale, bias: bias)
    for (number, device) in Trial.devices.enumerated() {
      for arithmetic in [LayerArithmetic.fp32, .int16] {
        let weights = try device.conv2DWeights(weight, bias: nil, arithmetic)
        let result = try device.conv2D(x, weights, geometry, residual: residual)
        #expect(result.moments != nil)
        let copy = Tensor(result.array, shape: result.shape)
        #expect(copy.moments == nil)
        let expected = try Trial.reference.groupNorm(copy, norm).array
        let found = try device.groupNorm(result, norm).array
        // Some units in the last place of the largest, 4: what the norm's own arithmetic rounds, and its coefficients.
        let worst = zip(found, expected).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(worst < 4e-6, "device \(number) (\(device.choice.instructionSet)), \(arithmetic): \(worst)")
      }
    }
  }
}
