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

  /// Where an element is.
  @inline(__always)
  func address(row: Int, at index: Int) -> UnsafeRawPointer {
    unsafe base + (row &* stride &+ index) &* Element.byteWidth
  }

  /// One element.
  @inline(__always)
  func element(row: Int, at index: Int) -> Float {
    unsafe Element.scalar(address(row: row, at: index))
  }
}

/// A type of stored numbers and how it becomes fp32; exact for all three.
protocol StoredElement {
  static var byteWidth: Int { get }
  static func vector(_ address: UnsafeRawPointer) -> Vector
  static func scalar(_ address: UnsafeRawPointer) -> Float
  /// Elements of a row in a block that ``transposeBlock(_:_:)`` takes.
  static var blockSteps: Int { get }
  /// Transposes a block, as many rows as a register has lanes.
  ///
  /// - Parameters:
  ///   - row: the address of a row's first element.
  ///   - body: receives each column and its number.
  static func transposeBlock(_ row: (Int) -> UnsafeRawPointer, _ body: (Int, Vector) -> Void)
}

extension StoredElement {
  /// A square of floats.
  @inline(__always)
  static func transposeFloats(_ row: (Int) -> UnsafeRawPointer, _ body: (Int, Vector) -> Void) {
    transposeSquare({ unsafe vector(row($0)) }, body)
  }
}

enum Float32Element: StoredElement {
  @inline(__always) static var byteWidth: Int { 4 }
  @inline(__always) static func vector(_ address: UnsafeRawPointer) -> Vector {
    unsafe address.loadUnaligned(as: Vector.self)
  }
  @inline(__always) static func scalar(_ address: UnsafeRawPointer) -> Float {
    unsafe address.loadUnaligned(as: Float.self)
  }
  @inline(__always) static var blockSteps: Int { Vector.scalarCount }
  @inline(__always)
  static func transposeBlock(_ row: (Int) -> UnsafeRawPointer, _ body: (Int, Vector) -> Void) {
    unsafe transposeFloats(row, body)
  }
}

/// Numbers of 16 bits: they change places before they become floats, when a register holds twice as many.
protocol StoredWord: StoredElement {
  static func vector(_ words: half_word_vector) -> Vector
}

extension StoredWord {
  @inline(__always) static var byteWidth: Int { 2 }
  @inline(__always) static func vector(_ address: UnsafeRawPointer) -> Vector {
    unsafe vector(vector_load_half_words(address))
  }
  /// Two runs of 128 bits; but registers of four lanes hold four rows, which are no square of eight.
  @inline(__always) static var blockSteps: Int { Vector.scalarCount == 4 ? 4 : 16 }
  @inline(__always)
  static func transposeBlock(_ row: (Int) -> UnsafeRawPointer, _ body: (Int, Vector) -> Void) {
    let lanes = Vector.scalarCount
    guard lanes > 4 else { return unsafe transposeFloats(row, body) }
    // A register has 16 steps of one row, or of two that are eight apart.
    transposeWords { index in
      let low = unsafe row(index)
      return unsafe vector_load_words(low, lanes == 16 ? row(index &+ 8) : low + 16)
    } _: { index, columns in
      body(index, vector(vector_even_runs(columns)))
      body(index &+ 8, vector(vector_odd_runs(columns)))
    }
  }
}

enum Float16Element: StoredWord {
  @inline(__always) static func scalar(_ address: UnsafeRawPointer) -> Float { unsafe scalar_load_float16(address) }
  @inline(__always) static func vector(_ words: half_word_vector) -> Vector { vector_from_float16(words) }
}

enum BFloat16Element: StoredWord {
  @inline(__always) static func scalar(_ address: UnsafeRawPointer) -> Float {
    unsafe Float(bitPattern: UInt32(address.loadUnaligned(as: UInt16.self)) &<< 16)
  }
  @inline(__always) static func vector(_ words: half_word_vector) -> Vector { vector_from_bfloat16(words) }
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

/// Turns stored rows into columns, a block of registers at a time: each step of the stretch, with its element of as many rows as
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
  guard steps.count >= Element.blockSteps else {
    for step in steps {
      var column = Vector.zero
      for lane in 0..<Vector.scalarCount {
        unsafe column[lane] = source.element(row: min(first &+ lane, last), at: step)
      }
      write(step, column)
    }
    return
  }
  // Where no row is repeated, their addresses are a constant number of strides apart, and cost nothing.
  if last &- first &+ 1 >= Vector.scalarCount {
    forEachBlock(Element.blockSteps, of: steps) { step in
      let start = unsafe source.address(row: first, at: step)
      unsafe Element.transposeBlock {
        unsafe start + $0 &* source.stride &* Element.byteWidth
      } _: { index, column in
        write(step &+ index, column)
      }
    }
  } else {
    forEachBlock(Element.blockSteps, of: steps) { step in
      unsafe Element.transposeBlock {
        unsafe source.address(row: min(first &+ $0, last), at: step)
      } _: { index, column in
        write(step &+ index, column)
      }
    }
  }
}

/// Calls `body` with the first step of each block; the last one overlaps the one before rather than reach beyond the end.
@inline(__always)
private func forEachBlock(_ size: Int, of steps: Range<Int>, _ body: (_ step: Int) -> Void) {
  var step = steps.lowerBound
  body(step)
  while step &+ size < steps.upperBound {
    step = min(step &+ size, steps.upperBound &- size)
    body(step)
  }
}
