internal import CProcessor

/// The three transforms of Winograd's F(4×4, 3×3), and those of F(5×5, 2×2), one dimension at a time. Both have six frequencies, and
/// the input's transform is the same.
///
/// They evaluate polynomials at 0, ±a, ±b and ∞. The customary 0, ±1, ±2 lose two decimal digits to cancellation; with
/// a = 5/8 and b = 3/2 the error over 128 channels is 1.6 times that of the direct sum, not 3.6 times, the products are as
/// many, and all constants but those of the weights' transform are exact in binary.
enum WinogradMatrices {
  private static var a: Float { 0.625 }
  private static var b: Float { 1.5 }

  /// Six samples of the input to six frequencies.
  @inline(__always)
  static func input(
    _ x0: Vector, _ x1: Vector, _ x2: Vector, _ x3: Vector, _ x4: Vector, _ x5: Vector
  ) -> (Vector, Vector, Vector, Vector, Vector, Vector) {
    let (squareA, squareB) = (Vector(repeating: a * a), Vector(repeating: b * b))
    let (product, sum) = (Vector(repeating: a * a * b * b), Vector(repeating: -(a * a + b * b)))
    // A polynomial at +p and -p: the even powers' part plus and minus the odd powers'.
    let evenA = vector_multiply_add(x2, -squareB, x4)
    let oddA = vector_multiply_add(x1, -squareB, x3) * a
    let evenB = vector_multiply_add(x2, -squareA, x4)
    let oddB = vector_multiply_add(x1, -squareA, x3) * b
    return (
      vector_multiply_add(x0, product, vector_multiply_add(x2, sum, x4)), evenA + oddA, evenA - oddA, evenB + oddB,
      evenB - oddB, vector_multiply_add(x1, product, vector_multiply_add(x3, sum, x5))
    )
  }

  /// Three samples of the kernel to six frequencies. Carries the divisors of all three transforms.
  @inline(__always)
  static func weights(
    _ x0: Vector, _ x1: Vector, _ x2: Vector
  ) -> (Vector, Vector, Vector, Vector, Vector, Vector) {
    let (squareA, squareB) = (a * a, b * b)
    let divisorA = 1 / (2 * squareA * (squareA - squareB))
    let divisorB = 1 / (2 * squareB * (squareB - squareA))
    let evenA = vector_multiply_add(x2, Vector(repeating: squareA), x0) * divisorA
    let oddA = x1 * (a * divisorA)
    let evenB = vector_multiply_add(x2, Vector(repeating: squareB), x0) * divisorB
    let oddB = x1 * (b * divisorB)
    return (x0 * (1 / (squareA * squareB)), evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB, x2)
  }

  /// Two samples of the kernel to six frequencies.
  @inline(__always)
  static func weights(_ x0: Vector, _ x1: Vector) -> (Vector, Vector, Vector, Vector, Vector, Vector) {
    let (squareA, squareB) = (a * a, b * b)
    let divisorA = 1 / (2 * squareA * (squareA - squareB))
    let divisorB = 1 / (2 * squareB * (squareB - squareA))
    let (evenA, oddA) = (x0 * divisorA, x1 * (a * divisorA))
    let (evenB, oddB) = (x0 * divisorB, x1 * (b * divisorB))
    return (x0 * (1 / (squareA * squareB)), evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB, x1)
  }

  /// Six frequencies to five samples of the output, of a kernel of two.
  @inline(__always)
  static func fiveOutputs(
    _ m0: Vector, _ m1: Vector, _ m2: Vector, _ m3: Vector, _ m4: Vector, _ m5: Vector
  ) -> (Vector, Vector, Vector, Vector, Vector) {
    let (sumA, differenceA) = (m1 + m2, m1 - m2)
    let (sumB, differenceB) = (m3 + m4, m3 - m4)
    let (squareA, squareB) = (a * a, b * b)
    return (
      m0 + (sumA + sumB),
      vector_multiply_add(differenceB, Vector(repeating: b), differenceA * a),
      vector_multiply_add(sumB, Vector(repeating: squareB), sumA * squareA),
      vector_multiply_add(differenceB, Vector(repeating: squareB * b), differenceA * (squareA * a)),
      vector_multiply_add(
        sumB, Vector(repeating: squareB * squareB),
        vector_multiply_add(sumA, Vector(repeating: squareA * squareA), m5))
    )
  }

  /// Six frequencies to four samples of the output.
  @inline(__always)
  static func output(
    _ m0: Vector, _ m1: Vector, _ m2: Vector, _ m3: Vector, _ m4: Vector, _ m5: Vector
  ) -> (Vector, Vector, Vector, Vector) {
    let (sumA, differenceA) = (m1 + m2, m1 - m2)
    let (sumB, differenceB) = (m3 + m4, m3 - m4)
    return (
      m0 + (sumA + sumB),
      vector_multiply_add(differenceB, Vector(repeating: b), differenceA * a),
      vector_multiply_add(sumB, Vector(repeating: b * b), sumA * (a * a)),
      vector_multiply_add(
        differenceB, Vector(repeating: b * b * b), vector_multiply_add(differenceA, Vector(repeating: a * a * a), m5))
    )
  }
}
