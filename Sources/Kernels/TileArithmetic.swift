internal import CProcessor
internal import KernelInterface

/// What one step of a product's summed index does: in fp32, with pairs of 16-bit integers, or with four bytes.
protocol TileArithmetic {
  /// Of the left operand, as it lies in memory, and of the sums.
  associatedtype Element
  /// A register of sums.
  associatedtype Sums
  /// A step of one row of the left operand, for every lane.
  associatedtype Spread
  /// A step of a register of columns.
  associatedtype Columns

  /// Rows of the tallest tile: two sums a row, two registers of columns and some of inputs fill the registers.
  static var rows: Int { get }
  /// Elements from one row of the left operand to the next, and from one step to the next.
  static var rowStride: Int { get }
  static var step: Int { get }
  /// Bytes from one step of a register of columns to the next.
  static var columnStep: Int { get }

  static var zero: Sums { get }
  static func spread(_ a: UnsafePointer<Element>) -> Spread
  static func columns(_ address: UnsafeRawPointer) -> Columns
  static func add(_ sums: Sums, _ a: Spread, _ b: Columns) -> Sums
  static func load(_ source: UnsafePointer<Element>) -> Sums
  static func store(_ sums: Sums, to target: UnsafeMutablePointer<Element>)
}

/// fp32: row panels and column panels as ``PanelShape`` says.
enum FloatArithmetic: TileArithmetic {
  @inline(__always) static var rows: Int { PanelShape.rows }
  @inline(__always) static var rowStride: Int { PanelShape.rowStride }
  @inline(__always) static var step: Int { 1 }
  @inline(__always) static var columnStep: Int { 4 &* PanelShape.width }
  @inline(__always) static var zero: Vector { .zero }
  @inline(__always) static func spread(_ a: UnsafePointer<Float>) -> Vector { unsafe Vector(repeating: a[0]) }
  @inline(__always) static func columns(_ address: UnsafeRawPointer) -> Vector {
    unsafe address.loadUnaligned(as: Vector.self)
  }
  @inline(__always) static func add(_ sums: Vector, _ a: Vector, _ b: Vector) -> Vector {
    vector_multiply_add(a, b, sums)
  }
  @inline(__always) static func load(_ source: UnsafePointer<Float>) -> Vector { unsafe source.vector(at: 0) }
  @inline(__always) static func store(_ sums: Vector, to target: UnsafeMutablePointer<Float>) {
    unsafe target.store(sums, at: 0)
  }
}

/// Arithmetics whose sums are integers.
protocol IntegerArithmetic: TileArithmetic where Element == Int32, Sums == IntegerVector {}

extension IntegerArithmetic {
  @inline(__always) static var zero: IntegerVector { .zero }
  @inline(__always) static func load(_ source: UnsafePointer<Int32>) -> IntegerVector {
    unsafe UnsafeRawPointer(source).loadUnaligned(as: IntegerVector.self)
  }
  @inline(__always) static func store(_ sums: IntegerVector, to target: UnsafeMutablePointer<Int32>) {
    unsafe UnsafeMutableRawPointer(target).storeBytes(of: sums, as: IntegerVector.self)
  }
}

/// Two integers of 16 bits a word, in panels like those of fp32 but for the rows' stride.
enum PairArithmetic: IntegerArithmetic {
  @inline(__always) static var rows: Int { PanelShape.rows }
  @inline(__always) static var rowStride: Int { PanelShape.pairs }
  @inline(__always) static var step: Int { 1 }
  @inline(__always) static var columnStep: Int { 4 &* PanelShape.width }
  @inline(__always) static func spread(_ a: UnsafePointer<Int32>) -> IntegerVector {
    unsafe IntegerVector(repeating: a[0])
  }
  @inline(__always) static func columns(_ address: UnsafeRawPointer) -> IntegerVector {
    unsafe address.loadUnaligned(as: IntegerVector.self)
  }
  @inline(__always) static func add(
    _ sums: IntegerVector, _ a: IntegerVector, _ b: IntegerVector
  ) -> IntegerVector {
    vector_add_pairs(sums, a, b)
  }
}

/// Four bytes a word: lines of row blocks and of ``Int8Layout``.
enum ByteArithmetic: IntegerArithmetic {
  /// Even and odd bytes, where they have to be taken apart.
  struct Halves {
    let even: IntegerVector, odd: IntegerVector
  }

  @inline(__always) static var rows: Int { Int8Shape.rows }
  @inline(__always) static var rowStride: Int { 1 }
  @inline(__always) static var step: Int { Int8Shape.lineWords }
  @inline(__always) static var columnStep: Int { Int8Layout.lineBytes }
  @inline(__always) static func spread(_ a: UnsafePointer<Int32>) -> Halves {
    let even = unsafe IntegerVector(repeating: a[0])
    return unsafe Halves(
      even: even, odd: Int8Shape.words == 1 ? even : IntegerVector(repeating: a[Int8Shape.slots]))
  }
  @inline(__always) static func columns(_ address: UnsafeRawPointer) -> Halves {
    let bytes = unsafe address.loadUnaligned(as: IntegerVector.self)
    return Halves(even: vector_even_weights(bytes), odd: vector_odd_weights(bytes))
  }
  @inline(__always) static func add(_ sums: IntegerVector, _ a: Halves, _ b: Halves) -> IntegerVector {
    vector_add_byte_products(sums, a.even, a.odd, b.even, b.odd)
  }
}
