/// The accumulators of a small product, in registers: some rows of two vectors each.
///
/// The inner loop of every product runs on one of these: per step of the summed index, two vectors of the right operand
/// are loaded, one element of the left operand per row is spread over a vector, and each row gains two products.
/// A block is one row or two blocks above each other, so that every height is a type, the compiler unrolls by
/// inlining alone, and all accumulators become registers. (A loop over an array of them is left in memory.)
protocol RowBlock {
  associatedtype Arithmetic: TileArithmetic
  /// Height of the block.
  static var rows: Int { get }

  /// Zeros.
  init()
  /// Goes on from sums that lie row after row, `PanelShape.width` elements each.
  init(from sums: UnsafePointer<Arithmetic.Element>)
  /// Adds one step's products to every row; the rows of `a` are `Arithmetic.rowStride` apart.
  mutating func add(
    _ a: UnsafePointer<Arithmetic.Element>, _ left: Arithmetic.Columns, _ right: Arithmetic.Columns)
  /// Hands out the rows, counted from `first`.
  func write<Output: TileOutput>(to output: Output, from first: Int) where Output.Arithmetic == Arithmetic
}

/// Where a tile's sums go.
protocol TileOutput {
  associatedtype Arithmetic: TileArithmetic
  /// The sums from which a tile goes on; nil: zeros.
  var start: UnsafePointer<Arithmetic.Element>? { get }
  /// Takes the two registers of a row.
  func write(_ row: Int, _ left: Arithmetic.Sums, _ right: Arithmetic.Sums)
}

/// Sums as they are, row after row, `PanelShape.width` elements each.
@unsafe struct PlainOutput<Arithmetic: TileArithmetic>: TileOutput {
  let sums: UnsafeMutablePointer<Arithmetic.Element>
  /// Whether products are added to what is there.
  let isContinued: Bool

  @inline(__always)
  var start: UnsafePointer<Arithmetic.Element>? { unsafe isContinued ? UnsafePointer(sums) : nil }

  @inline(__always)
  func write(_ row: Int, _ left: Arithmetic.Sums, _ right: Arithmetic.Sums) {
    let target = unsafe sums + row &* PanelShape.width
    unsafe Arithmetic.store(left, to: target)
    unsafe Arithmetic.store(right, to: target + Vector.scalarCount)
  }
}

/// A block of one row.
struct OneRow<Arithmetic: TileArithmetic>: RowBlock {
  private var left: Arithmetic.Sums
  private var right: Arithmetic.Sums

  @inline(__always) static var rows: Int { 1 }

  @inline(__always)
  init() { (left, right) = (Arithmetic.zero, Arithmetic.zero) }

  @inline(__always)
  init(from sums: UnsafePointer<Arithmetic.Element>) {
    unsafe (left, right) = (Arithmetic.load(sums), Arithmetic.load(sums + Vector.scalarCount))
  }

  @inline(__always)
  mutating func add(
    _ a: UnsafePointer<Arithmetic.Element>, _ b0: Arithmetic.Columns, _ b1: Arithmetic.Columns
  ) {
    let element = unsafe Arithmetic.spread(a)
    left = Arithmetic.add(left, element, b0)
    right = Arithmetic.add(right, element, b1)
  }

  @inline(__always)
  func write<Output: TileOutput>(to output: Output, from first: Int) where Output.Arithmetic == Arithmetic {
    output.write(first, left, right)
  }
}

/// Two blocks, one above the other.
struct Stacked<Upper: RowBlock, Lower: RowBlock>: RowBlock where Upper.Arithmetic == Lower.Arithmetic {
  typealias Arithmetic = Upper.Arithmetic
  private var upper: Upper
  private var lower: Lower

  @inline(__always) static var rows: Int { Upper.rows &+ Lower.rows }

  @inline(__always)
  init() { (upper, lower) = (Upper(), Lower()) }

  @inline(__always)
  init(from sums: UnsafePointer<Arithmetic.Element>) {
    unsafe (upper, lower) = (Upper(from: sums), Lower(from: sums + Upper.rows &* PanelShape.width))
  }

  @inline(__always)
  mutating func add(
    _ a: UnsafePointer<Arithmetic.Element>, _ left: Arithmetic.Columns, _ right: Arithmetic.Columns
  ) {
    unsafe upper.add(a, left, right)
    unsafe lower.add(a + Upper.rows &* Arithmetic.rowStride, left, right)
  }

  @inline(__always)
  func write<Output: TileOutput>(to output: Output, from first: Int) where Output.Arithmetic == Arithmetic {
    upper.write(to: output, from: first)
    lower.write(to: output, from: first &+ Upper.rows)
  }
}

typealias TwoRows<A: TileArithmetic> = Stacked<OneRow<A>, OneRow<A>>
typealias ThreeRows<A: TileArithmetic> = Stacked<TwoRows<A>, OneRow<A>>
typealias FourRows<A: TileArithmetic> = Stacked<TwoRows<A>, TwoRows<A>>
typealias SevenRows<A: TileArithmetic> = Stacked<FourRows<A>, ThreeRows<A>>
