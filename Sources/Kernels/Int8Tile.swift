internal import CProcessor
internal import KernelInterface

/// The sums of a small product of bytes, in registers: like ``RowBlock``, with four steps of the summed index at a time.
protocol ByteRows {
  /// Height of the block.
  static var rows: Int { get }

  /// Zeros.
  init()
  /// Adds to every row its four inputs times those of each column; `inputs` is the first row's word of a line.
  mutating func add(_ inputs: UnsafePointer<Int32>, _ left: ByteColumns, _ right: ByteColumns)
  /// Writes the rows one after the other, `PanelShape.width` integers each.
  func store(to sums: UnsafeMutablePointer<Int32>)
}

/// A register of weights, four steps of the summed index for each column.
struct ByteColumns {
  let even: IntegerVector, odd: IntegerVector

  @inline(__always)
  init(_ address: UnsafeRawPointer) {
    let bytes = unsafe address.loadUnaligned(as: IntegerVector.self)
    (even, odd) = (vector_even_weights(bytes), vector_odd_weights(bytes))
  }
}

/// A block of one row.
struct OneByteRow: ByteRows {
  private var left = IntegerVector.zero
  private var right = IntegerVector.zero

  @inline(__always) static var rows: Int { 1 }

  @inline(__always)
  init() {}

  @inline(__always)
  mutating func add(_ inputs: UnsafePointer<Int32>, _ b0: ByteColumns, _ b1: ByteColumns) {
    let even = unsafe IntegerVector(repeating: inputs[0])
    let odd = unsafe Int8Shape.words == 1 ? even : IntegerVector(repeating: inputs[Int8Shape.slots])
    left = vector_add_byte_products(left, even, odd, b0.even, b0.odd)
    right = vector_add_byte_products(right, even, odd, b1.even, b1.odd)
  }

  @inline(__always)
  func store(to sums: UnsafeMutablePointer<Int32>) {
    unsafe UnsafeMutableRawPointer(sums).storeBytes(of: left, as: IntegerVector.self)
    unsafe UnsafeMutableRawPointer(sums + Vector.scalarCount).storeBytes(of: right, as: IntegerVector.self)
  }
}

/// Two blocks, one above the other.
struct StackedBytes<Upper: ByteRows, Lower: ByteRows>: ByteRows {
  private var upper = Upper()
  private var lower = Lower()

  @inline(__always) static var rows: Int { Upper.rows &+ Lower.rows }

  @inline(__always)
  init() {}

  @inline(__always)
  mutating func add(_ inputs: UnsafePointer<Int32>, _ b0: ByteColumns, _ b1: ByteColumns) {
    unsafe upper.add(inputs, b0, b1)
    unsafe lower.add(inputs + Upper.rows, b0, b1)
  }

  @inline(__always)
  func store(to sums: UnsafeMutablePointer<Int32>) {
    unsafe upper.store(to: sums)
    unsafe lower.store(to: sums + Upper.rows &* PanelShape.width)
  }
}

private typealias Two = StackedBytes<OneByteRow, OneByteRow>
private typealias Three = StackedBytes<Two, OneByteRow>
private typealias Four = StackedBytes<Two, Two>
private typealias Seven = StackedBytes<Four, Three>

/// One tile: `sums[rows, width] = inputs · weights` over all groups.
///
/// - Parameters:
///   - rows: 1 to ``Int8Shape/rows``.
///   - inputs: a row block's lines.
///   - left: weights of a register of columns, whose next line is ``Int8Layout/lineBytes`` further.
///   - right: those of another.
///   - ahead: what is asked for meanwhile.
@inline(__always)
func multiplyBytes(
  rows: Int, groups: Int, _ inputs: UnsafePointer<Int32>, left: UnsafeRawPointer, right: UnsafeRawPointer,
  into sums: UnsafeMutablePointer<Int32>, ahead: ReadAhead
) {
  switch rows {
  case 1: unsafe multiply(OneByteRow.self, groups, inputs, left, right, sums, ahead)
  case 2: unsafe multiply(Two.self, groups, inputs, left, right, sums, ahead)
  case 3: unsafe multiply(Three.self, groups, inputs, left, right, sums, ahead)
  case 4: unsafe multiply(Four.self, groups, inputs, left, right, sums, ahead)
  default:
    // Constant: sets with fewer registers have no code for what follows.
    guard Int8Shape.rows > 4 else { return }
    switch rows {
    case 5: unsafe multiply(StackedBytes<Four, OneByteRow>.self, groups, inputs, left, right, sums, ahead)
    case 6: unsafe multiply(StackedBytes<Four, Two>.self, groups, inputs, left, right, sums, ahead)
    case 7: unsafe multiply(Seven.self, groups, inputs, left, right, sums, ahead)
    case 8: unsafe multiply(StackedBytes<Four, Four>.self, groups, inputs, left, right, sums, ahead)
    case 9: unsafe multiply(StackedBytes<Seven, Two>.self, groups, inputs, left, right, sums, ahead)
    case 10: unsafe multiply(StackedBytes<Seven, Three>.self, groups, inputs, left, right, sums, ahead)
    case 11: unsafe multiply(StackedBytes<Seven, Four>.self, groups, inputs, left, right, sums, ahead)
    case 12:
      unsafe multiply(
        StackedBytes<Seven, StackedBytes<Four, OneByteRow>>.self, groups, inputs, left, right, sums, ahead)
    case 13:
      unsafe multiply(StackedBytes<Seven, StackedBytes<Four, Two>>.self, groups, inputs, left, right, sums, ahead)
    default: unsafe multiply(StackedBytes<Seven, Seven>.self, groups, inputs, left, right, sums, ahead)
    }
  }
}

@inline(never)
private func multiply<Block: ByteRows>(
  _: Block.Type, _ groups: Int, _ inputs: UnsafePointer<Int32>, _ left: UnsafeRawPointer, _ right: UnsafeRawPointer,
  _ sums: UnsafeMutablePointer<Int32>, _ ahead: ReadAhead
) {
  var block = Block()
  var inputs = unsafe inputs
  let distance = unsafe right - left
  var line = unsafe left
  for group in 0..<groups {
    unsafe ahead.touch(group &* Int8Layout.groupQuads)
    let end = unsafe line + Int8Layout.groupQuads &* Int8Layout.lineBytes
    while unsafe line < end {
      unsafe block.add(inputs, ByteColumns(line), ByteColumns(line + distance))
      unsafe inputs += Int8Shape.lineWords
      unsafe line += Int8Layout.lineBytes
    }
  }
  unsafe block.store(to: sums)
}
