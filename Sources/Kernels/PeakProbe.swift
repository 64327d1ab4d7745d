internal import CProcessor

extension VectorKernels {
  package static func multiplyAddProbe(rounds: Int) -> Int {
    // Ten sums: two units of four or five cycles of latency are kept busy, and sixteen registers suffice. They begin
    // apart, or the compiler would see that they are all the same.
    let one = Vector(repeating: 1)
    var sums = (
      one, one * 2, one * 3, one * 4, one * 5, one * 6, one * 7, one * 8, one * 9, one * 10
    )
    // What the compiler cannot know it cannot compute ahead.
    let (a, b) = (Vector(repeating: Float(rounds & 1) + 0.5), Vector(repeating: 0x1p-20))
    var round = 0
    while round < rounds {
      sums.0 = vector_multiply_add(sums.0, a, b)
      sums.1 = vector_multiply_add(sums.1, a, b)
      sums.2 = vector_multiply_add(sums.2, a, b)
      sums.3 = vector_multiply_add(sums.3, a, b)
      sums.4 = vector_multiply_add(sums.4, a, b)
      sums.5 = vector_multiply_add(sums.5, a, b)
      sums.6 = vector_multiply_add(sums.6, a, b)
      sums.7 = vector_multiply_add(sums.7, a, b)
      sums.8 = vector_multiply_add(sums.8, a, b)
      sums.9 = vector_multiply_add(sums.9, a, b)
      round &+= 1
    }
    let total =
      (sums.0 + sums.1) + (sums.2 + sums.3) + (sums.4 + sums.5) + (sums.6 + sums.7) + (sums.8 + sums.9)
    // Never true, but the sums have to be computed to know that.
    guard total.sum() != -1 else { return 0 }
    return rounds * 10 * Vector.scalarCount * 2
  }
}
