internal import CProcessor

/// Softmax over keys that arrive in blocks: weights are relative to the largest score so far, and what was summed
/// before is scaled down when a larger one comes. Powers of two throughout: the factor contains log2 e.
@unsafe struct OnlineSoftmax {
  /// Tiles of a row panel's scores.
  let scores: UnsafeMutablePointer<Float>
  /// Their weights, as a row panel.
  let weights: UnsafeMutablePointer<Float>
  /// Per query, the largest scaled score so far.
  let largest: UnsafeMutablePointer<Float>
  /// Per query, the sum of the weights so far.
  let totals: UnsafeMutablePointer<Float>
  /// What a score is multiplied by.
  let factor: Float

  /// Turns a query's scores into weights, of which the first `visible` count and the others are 0.
  ///
  /// - Parameters:
  ///   - row: the query.
  ///   - line: its place in the row panel, which has `panelRows`.
  /// - Returns: what earlier sums have to be multiplied by.
  @inline(__always)
  func weigh(_ row: Int, line: Int, panelRows: Int, keys: Int, visible: Int) -> Float {
    let lanes = Vector.scalarCount
    let target = unsafe weights + line &* PanelShape.rowStride
    guard visible > 0 else {
      for index in 0..<keys { unsafe target[index] = 0 }
      return 1
    }
    @inline(__always)
    func scores(at key: Int) -> Vector {
      // Two vectors a tile, one tile behind the other.
      let (tile, column) = (key / PanelShape.width, key % PanelShape.width)
      return unsafe self.scores.vector(at: (tile &* panelRows &+ line) &* PanelShape.width &+ column)
    }

    var peaks = Vector(repeating: -.infinity)
    var key = 0
    while key &+ lanes <= visible {
      peaks = vector_larger(peaks, scores(at: key))
      key &+= lanes
    }
    if key < visible {
      peaks = vector_larger(peaks, vector_first(scores(at: key), Int32(truncatingIfNeeded: visible &- key), -.infinity))
    }
    let before = unsafe largest[row]
    // A NaN score is no maximum, but its weight is NaN and so are the sum and the row.
    let maximum = unsafe max(before, vector_maximum(peaks) * factor)

    var sums = Vector.zero
    key = 0
    while key &+ lanes <= visible {
      let weight = powerOfTwo(
        unsafe vector_multiply_add(scores(at: key), Vector(repeating: factor), Vector(repeating: -maximum)))
      unsafe target.store(weight, at: key)
      sums += weight
      key &+= lanes
    }
    if key < keys {
      let exponents = unsafe vector_multiply_add(
        scores(at: key), Vector(repeating: factor), Vector(repeating: -maximum))
      let weight = vector_first(powerOfTwo(exponents), Int32(truncatingIfNeeded: visible &- key), 0)
      unsafe target.store(weight, at: key)
      sums += weight
      key &+= lanes
      while key < keys {
        unsafe target.store(.zero, at: key)
        key &+= lanes
      }
    }
    let correction = before == maximum ? 1 : powerOfTwo(Vector(repeating: before - maximum))[0]
    unsafe largest[row] = maximum
    unsafe totals[row] = totals[row] * correction + vector_sum(sums)
    return correction
  }
}

/// `2ˣ` for x ≤ 0, off by at most 1 unit in the last place; at least 2⁻¹²⁶, which next to a largest weight of 1 is nothing.
///
/// `x = n + r` with `|r| ≤ ½`; the polynomial for `2ʳ` is the one of degree 6 whose largest relative error, 2e-9, is least.
@inline(__always)
private func powerOfTwo(_ x: Vector) -> Vector {
  let x = vector_larger(x, Vector(repeating: -126))
  // Adding 1.5 · 2²³ leaves the rounded integer in the low bits of the sum: rounding without a call.
  let magic = Vector(repeating: 12_582_912)
  let shifted = x + magic
  let r = x - (shifted - magic)
  var series = Vector(repeating: 1.534_581_242_594_868e-4)
  series = vector_multiply_add(series, r, Vector(repeating: 1.339_993_090_368_807e-3))
  series = vector_multiply_add(series, r, Vector(repeating: 9.618_489_071_726_799e-3))
  series = vector_multiply_add(series, r, Vector(repeating: 0.055_503_286_421_298_98))
  series = vector_multiply_add(series, r, Vector(repeating: 0.240_226_462_483_406_07))
  series = vector_multiply_add(series, r, Vector(repeating: 0.693_147_182_464_599_6))
  series = vector_multiply_add(series, r, Vector(repeating: 1))
  return series * vector_power_of_two(shifted)
}
