/// A 3×3 convolution of a square picture with a margin of zeros, by Winograd's F(4×4, 3×3) in double precision, with operands
/// rounded as the kernels for 16-bit integers promise. Written from the definition and with matrices, unlike them.
struct RoundedModel {
  /// A multiple of four.
  let side: Int
  let inputs: Int, outputs: Int
  /// `[side][side][inputs]`
  let x: [Float]
  /// `[outputs][inputs][3][3]`
  let weights: [Float]

  /// The points at which polynomials are evaluated, besides infinity.
  private static let points: [Double] = [0, 0.625, -0.625, 1.5, -1.5]

  /// `[6][3]`: a polynomial of three coefficients at each point.
  private static let kernelMatrix: [[Double]] = points.map { [1, $0, $0 * $0] } + [[0, 0, 1]]

  /// `[4][6]`: the transpose of the same for four coefficients, divided by what Lagrange's formula asks for.
  private static let outputMatrix: [[Double]] = (0..<4).map { (power: Int) -> [Double] in
    let finite = points.map { (point: Double) -> Double in
      let divisor: Double = points.filter { $0 != point }.reduce(1) { $0 * (point - $1) }
      return (0..<power).reduce(1 / divisor) { product, _ in product * point }
    }
    return finite + [power == 3 ? 1 : 0]
  }

  /// `[6][6]`: the coefficients of the product of all (t - point) but one, or of all.
  private static let inputMatrix: [[Double]] = (points.map { point in points.filter { $0 != point } } + [points]).map {
    (roots: [Double]) -> [Double] in
    let product = roots.reduce([1.0]) { polynomial, root in
      zip([0] + polynomial, polynomial + [0]).map { $0 - root * $1 }
    }
    return product + [Double](repeating: 0, count: 6 - product.count)
  }

  /// `[side][side][outputs]`
  ///
  /// - Parameter stretch: channels that are rounded together; nil: none are.
  func convolve(stretch: Int?) -> [Double] {
    let kernels = (0..<outputs).map { output in
      rounded(
        (0..<inputs).map { input in
          let kernel = (0..<9).map { Double(weights[(output * inputs + input) * 9 + $0]) }
          return Self.transform(Self.kernelMatrix, kernel, size: 3)
        }, stretch)
    }
    var result = [Double](repeating: 0, count: side * side * outputs)
    for top in stride(from: 0, to: side, by: 4) {
      for left in stride(from: 0, to: side, by: 4) {
        let tile = rounded((0..<inputs).map { frequencies(top: top, left: left, input: $0) }, stretch)
        for output in 0..<outputs {
          let sums = (0..<36).map { frequency in
            (0..<inputs).reduce(0) { $0 + tile[$1][frequency] * kernels[output][$1][frequency] }
          }
          let pixels = Self.transform(Self.outputMatrix, sums, size: 6)
          for (index, pixel) in pixels.enumerated() {
            result[((top + index / 4) * side + left + index % 4) * outputs + output] = pixel
          }
        }
      }
    }
    return result
  }

  /// Of one channel of a tile.
  private func frequencies(top: Int, left: Int, input: Int) -> [Double] {
    let pixels = (0..<36).map { index -> Double in
      let (row, column) = (top + index / 6 - 1, left + index % 6 - 1)
      guard (0..<side).contains(row), (0..<side).contains(column) else { return 0 }
      return Double(x[(row * side + column) * inputs + input])
    }
    return Self.transform(Self.inputMatrix, pixels, size: 6)
  }

  /// `[channel][frequency]`: each frequency of a stretch to multiples of a step, its Euclidean norm 32,700 of them.
  private func rounded(_ values: [[Double]], _ stretch: Int?) -> [[Double]] {
    guard let stretch else { return values }
    var result = values
    for first in Swift.stride(from: 0, to: values.count, by: stretch) {
      let channels = first..<min(first + stretch, values.count)
      for frequency in 0..<36 {
        let step =
          channels.reduce(0) { $0 + values[$1][frequency] * values[$1][frequency] }.squareRoot() / 32_700
        guard step > 0 else { continue }
        for channel in channels {
          result[channel][frequency] = (values[channel][frequency] / step).rounded(.toNearestOrEven) * step
        }
      }
    }
    return result
  }

  /// `matrix · values · matrixᵀ`, values `[size][size]`.
  private static func transform(_ matrix: [[Double]], _ values: [Double], size: Int) -> [Double] {
    let half = matrix.map { row in
      (0..<size).map { column in (0..<size).reduce(0) { $0 + row[$1] * values[$1 * size + column] } }
    }
    return half.flatMap { line in matrix.map { row in (0..<size).reduce(0) { $0 + row[$1] * line[$1] } } }
  }
}
