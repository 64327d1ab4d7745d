import Safetensors
import Tensors
import Testing

/// The place where two tensors differ most.
struct LargestDifference: CustomStringConvertible {
  /// |found − expected|, as a share of the largest |expected|.
  let relative: Float
  let index: [Int]
  let found: Float, expected: Float

  /// Compares elementwise. Sums or means would not notice a transpose, which is the mistake to expect.
  init(_ found: [Float], _ expected: [Float], shape: [Int]) {
    var (worst, position, scale) = (Float(-1), 0, Float.leastNormalMagnitude)
    for (index, pair) in zip(found, expected).enumerated() {
      let difference = abs(pair.0 - pair.1)
      scale = max(scale, abs(pair.1))
      // NaN compares false: it must count as the largest difference, not as none.
      if !(difference <= worst) { (worst, position) = (difference, index) }
    }
    var remainder = position
    index = shape.reversed().map { extent in
      defer { remainder /= extent }
      return remainder % extent
    }.reversed()
    relative = found.count == expected.count && !worst.isNaN ? worst / scale : .infinity
    self.found = position < found.count ? found[position] : .nan
    self.expected = position < expected.count ? expected[position] : .nan
  }

  var description: String { "\(relative) of the largest, at \(index): \(found), expected \(expected)" }
}

/// Each stage of a network agrees with PyTorch within this share of its largest value. Both sides are fp32; a sum of
/// n products in another order differs by about √n · 6e-8, and the deepest path here sums a few times a thousand.
let stageTolerance: Float = 1e-4

/// Expects `found` to equal `expected` within `tolerance` of the largest value, and prints by how much it does not.
func expectGolden(
  _ found: [Float], _ expected: [Float], shape: [Int], tolerance: Float = stageTolerance, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let difference = LargestDifference(found, expected, shape: shape)
  print("golden \(what): \(difference)")
  #expect(
    found.count == expected.count && difference.relative <= tolerance, "\(what): \(difference)",
    sourceLocation: sourceLocation)
}
