internal import COpenBLAS

/// Multiplies a few small matrices with the matrix library and compares.
///
/// The library picks its kernels by the processor it finds, and old builds have picked wrong ones for processors
/// newer than they are and for virtual ones: products are then silently wrong, and every picture with them.
/// Small integers make every sum exact in fp32, so the comparison is for equality.
package enum MatrixLibraryCheck {
  /// One product to try: `c (+)= a[rows, depth] · b`, b being `[columns, depth]` if transposed, else
  /// `[depth, columns]`.
  package struct Product: Sendable {
    /// Extents.
    package let rows: Int, columns: Int, depth: Int
    /// Whether b holds the summed index last.
    package let isTransposed: Bool
    /// Whether the product is added to `initial`; otherwise what c held must not matter.
    package let isAccumulating: Bool
    /// The operands.
    package let a: [Float], b: [Float]
    /// What every element of c holds before: NaN unless accumulating.
    package var initial: Float { isAccumulating ? 5 : .nan }
  }

  /// The answer for this process: the library does not change its choice.
  private static let failure = fault(of: libraryProduct)

  static func run() throws {
    guard let failure else { return }
    let core = unsafe String(cString: openblas_get_corename())
    throw DeviceError(
      .wrongArithmetic,
      "OpenBLAS chose its \(core) kernels for this processor, and they multiply wrongly (\(failure)). Set the "
        + "environment variable OPENBLAS_CORETYPE=Haswell (or another type that this processor supports), or install "
        + "a newer OpenBLAS.")
  }

  /// What is wrong with the products that `multiply` returns; nil if nothing is.
  package static func fault(of multiply: (Product) -> [Float]) -> String? {
    for size in [17, 64, 300] {
      for (rows, columns, depth) in [(size, size, size), (3, size + 1, size - 1)] {
        let (a, b) = (integers(rows * depth, seed: 1), integers(columns * depth, seed: 2))
        for isTransposed in [true, false] {
          for isAccumulating in [false, true] {
            let product = Product(
              rows: rows, columns: columns, depth: depth, isTransposed: isTransposed, isAccumulating: isAccumulating,
              a: a, b: b)
            if !agrees(multiply(product), product) {
              return "\(rows) × \(columns) × \(depth), \(isTransposed ? "second operand transposed" : "plain")"
            }
          }
        }
      }
    }
    return nil
  }

  private static func libraryProduct(_ product: Product) -> [Float] {
    let (rows, columns, depth) = (product.rows, product.columns, product.depth)
    var result = [Float](repeating: product.initial, count: rows * columns)
    unsafe product.a.withUnsafeBufferPointer { a in
      unsafe product.b.withUnsafeBufferPointer { b in
        unsafe result.withUnsafeMutableBufferPointer { c in
          guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
          let left = unsafe MatrixView(base: a, stride: depth)
          if product.isTransposed {
            unsafe multiplyTransposed(
              rows: rows, columns: columns, depth: depth, left, MatrixView(base: b, stride: depth), into: c,
              stride: columns, accumulating: product.isAccumulating)
          } else {
            unsafe multiply(
              rows: rows, columns: columns, depth: depth, left, MatrixView(base: b, stride: columns), into: c,
              stride: columns, accumulating: product.isAccumulating)
          }
        }
      }
    }
    return result
  }

  /// Compares `c · w` with `a · (b · w) + initial · w` for one vector w: as good as comparing every element (a
  /// single wrong one changes its row's sum) at a hundredth of the work.
  private static func agrees(_ c: [Float], _ product: Product) -> Bool {
    guard c.count == product.rows * product.columns, c.allSatisfy({ abs($0) < 0x1p24 }) else { return false }
    let (columns, depth) = (product.columns, product.depth)
    let weights = (0..<columns).map { $0 % 13 + 1 }
    var folded = [Int](repeating: 0, count: depth)
    for column in 0..<columns {
      for index in 0..<depth {
        let element = product.b[product.isTransposed ? column * depth + index : index * columns + column]
        folded[index] += Int(element) * weights[column]
      }
    }
    let offset = product.isAccumulating ? Int(product.initial) * weights.reduce(0, +) : 0
    for row in 0..<product.rows {
      var expected = offset
      for index in 0..<depth { expected += Int(product.a[row * depth + index]) * folded[index] }
      var found = 0
      for column in 0..<columns { found += Int(c[row * columns + column]) * weights[column] }
      if found != expected { return false }
    }
    return true
  }

  /// Integers in -8...8 without a short period.
  private static func integers(_ count: Int, seed: UInt32) -> [Float] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(Int(state >> 16) % 17 - 8)
    }
  }
}
