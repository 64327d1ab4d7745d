internal import COpenBLAS

/// Multiplies a few small matrices with the matrix library and with plain loops.
///
/// The library picks a kernel for the processor it finds, and old builds have picked wrong ones for processors
/// newer than they are (and for virtual ones): the products are then silently wrong, and so would be every
/// picture. Small integers make every sum exact in fp32, so the comparison is for equality.
enum MatrixLibraryCheck {
  /// The first answer, for the life of the process.
  private static let failure: String? = [17, 64, 300].lazy.compactMap(check).first

  static func run() throws {
    guard let failure else { return }
    let core = unsafe String(cString: openblas_get_corename())
    throw DeviceError(
      .wrongArithmetic,
      "OpenBLAS chose its \(core) kernels for this processor, and they multiply wrongly (\(failure)). Set the "
        + "environment variable OPENBLAS_CORETYPE=Haswell (or another type that this processor supports), or install "
        + "a newer OpenBLAS.")
  }

  /// What is wrong with products of about this size; nil if nothing is.
  private static func check(_ size: Int) -> String? {
    for (rows, columns, depth) in [(size, size, size), (size, size + 1, size - 1), (3, size, 2 * size + 1)] {
      let a = integers(rows * depth, seed: 1)
      let b = integers(columns * depth, seed: 2)
      for transposed in [true, false] {
        for accumulating in [false, true] {
          // Without accumulation the old content must not matter, not even NaN.
          var c = [Float](repeating: accumulating ? 5 : .nan, count: rows * columns)
          unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
              unsafe c.withUnsafeMutableBufferPointer { c in
                guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
                let left = unsafe MatrixView(base: a, stride: depth)
                if transposed {
                  unsafe multiplyTransposed(
                    rows: rows, columns: columns, depth: depth, left, MatrixView(base: b, stride: depth), into: c,
                    stride: columns, accumulating: accumulating)
                } else {
                  unsafe multiply(
                    rows: rows, columns: columns, depth: depth, left, MatrixView(base: b, stride: columns), into: c,
                    stride: columns, accumulating: accumulating)
                }
              }
            }
          }
          let right = transposed ? b : transpose(b, rows: depth, columns: columns)
          if !agrees(c, a, right, rows, columns, depth, offset: accumulating ? 5 : 0) {
            return "\(rows) × \(columns) × \(depth), \(transposed ? "second operand transposed" : "plain")"
          }
        }
      }
    }
    return nil
  }

  /// Compares `c · w` with `a · (bᵀ · w) + offset` for a vector w: as good as comparing every element (a single
  /// wrong one changes its row's sum) at a hundredth of the work.
  private static func agrees(
    _ c: [Float], _ a: [Float], _ b: [Float], _ rows: Int, _ columns: Int, _ depth: Int, offset: Int
  ) -> Bool {
    guard c.allSatisfy(\.isFinite) else { return false }
    var folded = [Int](repeating: 0, count: depth)
    for column in 0..<columns {
      for index in 0..<depth { folded[index] += Int(b[column * depth + index]) * weight(column) }
    }
    let offsets = offset * (0..<columns).reduce(0) { $0 + weight($1) }
    return (0..<rows).allSatisfy { row in
      let expected = (0..<depth).reduce(offsets) { $0 + Int(a[row * depth + $1]) * folded[$1] }
      return expected == (0..<columns).reduce(0) { $0 + Int(c[row * columns + $1]) * weight($1) }
    }
  }

  private static func weight(_ index: Int) -> Int { index % 13 + 1 }

  /// Integers in -8...8 without a short period.
  private static func integers(_ count: Int, seed: UInt32) -> [Float] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(Int(state >> 16) % 17 - 8)
    }
  }

  private static func transpose(_ matrix: [Float], rows: Int, columns: Int) -> [Float] {
    (0..<columns).flatMap { column in (0..<rows).map { matrix[$0 * columns + column] } }
  }
}
