/// How a linear layer's result is cut into parts, the units that threads take.
///
/// A part expands or reads its weights once, so parts are as large as a good balance of the threads allows: nearly equal ones,
/// of whole panels of columns, and rather a few less that are equal than more that are not. The cut depends on the shape alone.
struct LinearParts {
  private let rows: Range<Int>, columns: Int
  private let rowParts: Int, columnParts: Int
  /// Columns are cut at multiples of this: two registers of the widest instruction set.
  private static let granularity = 32

  /// - Parameters:
  ///   - rows: whatever the caller counts rows in.
  ///   - wanted: parts of the columns, at most.
  init(rows: Range<Int>, rowParts: Int, columns: Int, wanted: Int) {
    (self.rows, self.columns, self.rowParts) = (rows, columns, rowParts)
    let panels = Self.panels(columns)
    let most = max(1, min(wanted, panels))
    // What threads wait for each other is what the largest part has more than the others. As many parts as possible, if not fewer are more even.
    func unevenness(_ parts: Int) -> Int { (panels + parts - 1) / parts * parts - panels }
    columnParts = ((most + 1) / 2...most).reversed().min { unevenness($0) < unevenness($1) } ?? most
  }

  /// Of products that expand their weights: parts of at most `largestRows` rows.
  init(rows: Int, columns: Int, depth: Int, largestRows: Int, _ sizes: BlockSizes) {
    let rowParts = (rows + largestRows - 1) / largestRows
    let affordable = (rows + rowParts - 1) / rowParts * columns * depth / sizes.smallestTile
    self.init(
      rows: 0..<rows, rowParts: rowParts, columns: columns, wanted: min(sizes.linearParts / rowParts, affordable))
  }

  /// How many parts.
  var count: Int { rowParts * columnParts }
  /// Extents of the largest part.
  var partRows: Int { (rows.count + rowParts - 1) / rowParts }
  var partColumns: Int { min(columns, (Self.panels(columns) + columnParts - 1) / columnParts * Self.granularity) }

  /// The rows and columns of a part; neighbours read the same weights.
  func part(_ index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (column, row) = index.quotientAndRemainder(dividingBy: rowParts)
    let panels = (0..<Self.panels(columns)).piece(column, of: columnParts)
    return (
      rows.piece(row, of: rowParts),
      panels.lowerBound * Self.granularity..<min(panels.upperBound * Self.granularity, columns)
    )
  }

  private static func panels(_ columns: Int) -> Int { (columns + granularity - 1) / granularity }
}

extension Range<Int> {
  /// One of `count` pieces that are nearly equal.
  func piece(_ index: Int, of count: Int) -> Range<Int> {
    lowerBound + index * self.count / count..<lowerBound + (index + 1) * self.count / count
  }
}
