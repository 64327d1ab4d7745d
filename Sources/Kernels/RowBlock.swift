internal import CProcessor

/// The accumulators of a small product, in registers: some rows of two vectors each.
///
/// The inner loop of every product runs on one of these: per step of the summed index, two vectors of the right operand
/// are loaded, one element of the left operand per row is spread over a vector, and each row gains two products.
/// A block is one row or two blocks above each other, so that every height is a type, the compiler unrolls by
/// inlining alone, and all accumulators become registers. (A loop over an array of them is left in memory.)
protocol RowBlock {
  /// Height of the block.
  static var rows: Int { get }

  /// Zeros.
  init()
  /// Continues sums that ``store(to:)`` has written.
  init(from sums: UnsafePointer<Float>)
  /// Adds `a[row · PanelShape.rowStride] · (left, right)` to every row.
  mutating func add(_ a: UnsafePointer<Float>, _ left: Vector, _ right: Vector)
  /// Writes the rows one after the other, `PanelShape.width` floats each.
  func store(to sums: UnsafeMutablePointer<Float>)
}

/// A block of one row.
struct OneRow: RowBlock {
  private var left: Vector
  private var right: Vector

  @inline(__always) static var rows: Int { 1 }

  @inline(__always)
  init() { (left, right) = (.zero, .zero) }

  @inline(__always)
  init(from sums: UnsafePointer<Float>) {
    unsafe (left, right) = (sums.vector(at: 0), sums.vector(at: Vector.scalarCount))
  }

  @inline(__always)
  mutating func add(_ a: UnsafePointer<Float>, _ b0: Vector, _ b1: Vector) {
    let element = unsafe Vector(repeating: a[0])
    left = vector_multiply_add(element, b0, left)
    right = vector_multiply_add(element, b1, right)
  }

  @inline(__always)
  func store(to sums: UnsafeMutablePointer<Float>) {
    unsafe sums.store(left, at: 0)
    unsafe sums.store(right, at: Vector.scalarCount)
  }
}

/// Two blocks, one above the other.
struct Stacked<Upper: RowBlock, Lower: RowBlock>: RowBlock {
  private var upper: Upper
  private var lower: Lower

  @inline(__always) static var rows: Int { Upper.rows &+ Lower.rows }

  @inline(__always)
  init() { (upper, lower) = (Upper(), Lower()) }

  @inline(__always)
  init(from sums: UnsafePointer<Float>) {
    unsafe (upper, lower) = (Upper(from: sums), Lower(from: sums + Upper.rows &* PanelShape.width))
  }

  @inline(__always)
  mutating func add(_ a: UnsafePointer<Float>, _ b0: Vector, _ b1: Vector) {
    unsafe upper.add(a, b0, b1)
    unsafe lower.add(a + Upper.rows &* PanelShape.rowStride, b0, b1)
  }

  @inline(__always)
  func store(to sums: UnsafeMutablePointer<Float>) {
    unsafe upper.store(to: sums)
    unsafe lower.store(to: sums + Upper.rows &* PanelShape.width)
  }
}

typealias TwoRows = Stacked<OneRow, OneRow>
typealias ThreeRows = Stacked<TwoRows, OneRow>
typealias FourRows = Stacked<TwoRows, TwoRows>
typealias SevenRows = Stacked<FourRows, ThreeRows>
