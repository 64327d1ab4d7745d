/// How a result of `rows × columns` is cut into tiles, the units that threads take.
///
/// The cut depends on the shape alone, never on the number of threads, so the same input gives the same bits on
/// any number of them. A tile is wide both ways, because the matrix library packs both operands of every tile
/// (`rows + columns` elements per `rows · columns` products), yet there are at least eight where the work
/// allows it, so that two threads, or four, finish together.
struct TileGrid {
  /// Tiles that there should be at least, if they do not become too small.
  private static let wantedTiles = 8

  let rows: Int
  let columns: Int
  private let rowExtent: Int
  private let columnExtent: Int
  private let rowTiles: Int

  /// Number of tiles.
  let count: Int

  init(rows: Int, columns: Int, depth: Int, _ sizes: BlockSizes, rowLimit: Int? = nil) {
    let rowLimit = rowLimit ?? sizes.tileSide
    var rowExtent = Self.extent(rows, parts: (rows + rowLimit - 1) / rowLimit, limit: rowLimit)
    var columnExtent = Self.extent(
      columns, parts: (columns + sizes.tileSide - 1) / sizes.tileSide, limit: sizes.tileSide)
    func tiles() -> Int { ((rows - 1) / rowExtent + 1) * ((columns - 1) / columnExtent + 1) }
    while tiles() < Self.wantedTiles, rowExtent * columnExtent * depth >= 2 * sizes.smallestTile {
      if rowExtent >= columnExtent {
        rowExtent = (rowExtent + 1) / 2
      } else {
        columnExtent = (columnExtent + 1) / 2
      }
    }
    self.rows = rows
    self.columns = columns
    self.rowExtent = rowExtent
    self.columnExtent = columnExtent
    rowTiles = (rows - 1) / rowExtent + 1
    count = tiles()
  }

  /// The rows and columns of a tile; neighbours in a column of tiles follow each other, so that threads working
  /// side by side read the same weights.
  func tile(_ index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (column, row) = index.quotientAndRemainder(dividingBy: rowTiles)
    return (
      row * rowExtent..<min((row + 1) * rowExtent, rows),
      column * columnExtent..<min((column + 1) * columnExtent, columns)
    )
  }

  /// The extent of `parts` nearly equal parts, a multiple of 16 where there is more than one.
  private static func extent(_ total: Int, parts: Int, limit: Int) -> Int {
    guard parts > 1 else { return total }
    return min(limit, ((total + parts - 1) / parts + 15) / 16 * 16)
  }
}
