internal import CProcessor

/// Sums of pairs of 16-bit integers, as the numbers that they stand for: `sums[row, column] (+)= scales[row] · columnScales[column] ·
/// integer`. They go there from their registers: by way of memory it would take a twentieth of a short product.
@unsafe struct RoundedOutput: TileOutput {
  typealias Arithmetic = PairArithmetic

  let sums: UnsafeMutablePointer<Float>
  /// One a row.
  let scales: UnsafePointer<Float>
  /// One a column.
  let columnScales: UnsafePointer<Float>
  /// Whether products are added to what is there.
  let isContinued: Bool

  @inline(__always)
  var start: UnsafePointer<Int32>? { nil }

  @inline(__always)
  func write(_ row: Int, _ left: IntegerVector, _ right: IntegerVector) {
    let lanes = Vector.scalarCount
    let scale = unsafe Vector(repeating: scales[row])
    let target = unsafe sums + row &* PanelShape.width
    let (first, second) = unsafe (scale * columnScales.vector(at: 0), scale * columnScales.vector(at: lanes))
    if unsafe isContinued {
      unsafe target.store(vector_multiply_add(vector_from_integers(left), first, target.vector(at: 0)), at: 0)
      unsafe target.store(vector_multiply_add(vector_from_integers(right), second, target.vector(at: lanes)), at: lanes)
    } else {
      unsafe target.store(vector_from_integers(left) * first, at: 0)
      unsafe target.store(vector_from_integers(right) * second, at: lanes)
    }
  }
}
