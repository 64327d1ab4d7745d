/// The shapes in which products take their operands.
///
/// A product `sums[rows, columns] = a[rows, depth] · b[depth, columns]` is made of tiles, `rows` × ``width``, whose sums stay in
/// registers over a whole stretch of the summed index. For that
/// - a *row panel* holds up to ``rows`` rows of a, each ``rowStride`` floats after the one before: a distance known when
///   the code is compiled, so that all rows are reached from one register, and an odd number of cache lines, so
///   that rows do not fall into the same set of a cache as rows of a power-of-two matrix would;
/// - a *column panel* holds ``width`` columns of b, element (k, column) at `k · width + column`.
enum PanelShape {
  /// Columns of a tile: two registers.
  @inline(__always) static var width: Int { 2 &* Vector.scalarCount }

  /// Rows of the tallest tile. Two accumulators a row, two registers of b and some of a: 14 rows fill the 32 registers
  /// of AVX-512; 6 rows the 16 of AVX2. (arm64's 32 would hold more than 6 rows; it has not been measured.)
  @inline(__always) static var rows: Int { Vector.scalarCount == 16 ? 14 : 6 }

  /// The longest stretch of the summed index: a row panel is then 29 KB.
  @inline(__always) static var depth: Int { 512 }

  /// Floats from one row of a row panel to the next: 33 cache lines.
  @inline(__always) static var rowStride: Int { depth &+ 16 }

  /// The longest stretch of pairs of 16-bit integers: 128 channels. Shorter ones would be more exact, since a stretch's scale is what
  /// keeps its sums within 32 bits, and cost more conversions. Rows follow each other without a gap.
  @inline(__always) static var pairs: Int { 64 }
}
