internal import CProcessor
internal import KernelInterface

/// A run of stored weights that is one operand of products: some rows, `stride` elements apart.
@unsafe struct StoredRows<Element: StoredElement> {
  let base: UnsafeRawPointer
  let stride: Int

  @inline(__always)
  init(_ base: UnsafeRawPointer, stride: Int) {
    unsafe self.base = base
    unsafe self.stride = stride
  }

  /// Elements of a row from `index` on.
  @inline(__always)
  func vector(row: Int, at index: Int) -> Vector {
    unsafe Element.vector(base + (row &* stride &+ index) &* Element.byteWidth)
  }

  /// One element.
  @inline(__always)
  func element(row: Int, at index: Int) -> Float {
    unsafe Element.scalar(base + (row &* stride &+ index) &* Element.byteWidth)
  }
}

/// A type of stored numbers and how it becomes fp32; exact for all three.
protocol StoredElement {
  static var byteWidth: Int { get }
  static func vector(_ address: UnsafeRawPointer) -> Vector
  static func scalar(_ address: UnsafeRawPointer) -> Float
}

enum Float32Element: StoredElement {
  @inline(__always) static var byteWidth: Int { 4 }
  @inline(__always) static func vector(_ address: UnsafeRawPointer) -> Vector {
    unsafe address.loadUnaligned(as: Vector.self)
  }
  @inline(__always) static func scalar(_ address: UnsafeRawPointer) -> Float {
    unsafe address.loadUnaligned(as: Float.self)
  }
}

enum Float16Element: StoredElement {
  @inline(__always) static var byteWidth: Int { 2 }
  @inline(__always) static func vector(_ address: UnsafeRawPointer) -> Vector {
    unsafe vector_load_float16(address)
  }
  @inline(__always) static func scalar(_ address: UnsafeRawPointer) -> Float { unsafe scalar_load_float16(address) }
}

enum BFloat16Element: StoredElement {
  @inline(__always) static var byteWidth: Int { 2 }
  @inline(__always) static func vector(_ address: UnsafeRawPointer) -> Vector {
    unsafe vector_load_bfloat16(address)
  }
  @inline(__always) static func scalar(_ address: UnsafeRawPointer) -> Float {
    unsafe Float(bitPattern: UInt32(address.loadUnaligned(as: UInt16.self)) &<< 16)
  }
}

/// Writes one half of a column panel: rows of the stored matrix become columns, `Vector.scalarCount` of them.
///
/// - Parameters:
///   - rows: the first row's number and how many there are to use; columns beyond repeat the last one, and nobody
///     reads their sums.
///   - steps: the stretch of the summed index.
///   - panel: where element (0, 0) of this half goes; elements of the next step are `PanelShape.width` further.
@inline(__always)
func packTransposed<Element: StoredElement>(
  _ source: StoredRows<Element>, rows: Range<Int>, steps: Range<Int>, into panel: UnsafeMutablePointer<Float>
) {
  unsafe transpose(source, first: rows.lowerBound, last: rows.upperBound &- 1, steps: steps) { step, column in
    unsafe panel.store(column, at: (step &- steps.lowerBound) &* PanelShape.width)
  }
}

/// Turns stored rows into columns, a square of registers at a time: each step of the stretch, with its element of as many rows as
/// a register has lanes. Some steps are written twice, the same both times.
///
/// - Parameters:
///   - first: the first row.
///   - last: the last row to use, before `first` even; it is repeated for those beyond, since what is multiplied must be numbers
///     that cost nothing.
@inline(__always)
func transpose<Element: StoredElement>(
  _ source: StoredRows<Element>, first: Int, last: Int, steps: Range<Int>, _ write: (_ step: Int, Vector) -> Void
) {
  let lanes = Vector.scalarCount
  guard steps.count >= lanes else {
    for step in steps {
      var column = Vector.zero
      for lane in 0..<lanes { unsafe column[lane] = source.element(row: min(first &+ lane, last), at: step) }
      write(step, column)
    }
    return
  }
  var step = steps.lowerBound
  while true {
    transposeSquare { row in
      unsafe source.vector(row: min(first &+ row, last), at: step)
    } _: { index, column in
      write(step &+ index, column)
    }
    if step &+ lanes == steps.upperBound { return }
    // The last square overlaps the one before rather than reach beyond the end of the rows.
    step = min(step &+ lanes, steps.upperBound &- lanes)
  }
}
