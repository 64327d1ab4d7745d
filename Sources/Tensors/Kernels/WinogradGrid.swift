/// How the tiles of a map are cut into blocks.
struct WinogradGrid {
  /// Tiles down and across.
  let rows: Int, columns: Int
  /// Whether the map is doubled first, and each quarter of the result is a convolution of its own.
  let isQuartered: Bool
  /// Pixels of the result, or gaps between pixels of a map that is doubled, from one tile to the next.
  let step: Int
  private let rowBlocks: Int, columnBlocks: Int

  init(_ window: ConvolutionWindow, _ sizes: BlockSizes) {
    isQuartered =
      window.isDoubled && (window.outHeight / 10 + 1) * (window.outWidth / 10 + 1) > sizes.winogradQuarters
    if isQuartered {
      // As many gaps as pixels and one: before the first and after the last is zero.
      step = 5
      (rows, columns) = (window.outHeight / 10 + 1, window.outWidth / 10 + 1)
    } else {
      step = 4
      (rows, columns) = ((window.outHeight + 3) / 4, (window.outWidth + 3) / 4)
    }
    rowBlocks = (rows + sizes.winogradRows - 1) / sizes.winogradRows
    columnBlocks = (columns + sizes.winogradColumns - 1) / sizes.winogradColumns
  }

  /// Number of blocks.
  var count: Int { rowBlocks * columnBlocks }

  /// Tiles of the largest block.
  var largestBlock: Int {
    ((rows + rowBlocks - 1) / rowBlocks) * ((columns + columnBlocks - 1) / columnBlocks)
  }

  /// The tiles of a block. Neighbours across follow each other: they share rows of the input.
  func block(_ index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (row, column) = index.quotientAndRemainder(dividingBy: columnBlocks)
    return (
      rows * row / rowBlocks..<rows * (row + 1) / rowBlocks,
      columns * column / columnBlocks..<columns * (column + 1) / columnBlocks
    )
  }
}
