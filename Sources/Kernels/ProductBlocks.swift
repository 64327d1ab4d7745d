/// How a part of a linear layer, or of a convolution by products, is cut up; all cuts into nearly equal pieces.
struct ProductBlocks {
  /// Floats of the column panels that are expanded at a time: 512 KB, half of a server's second-level cache.
  @inline(__always) private static var groupFloats: Int { 128 << 10 }

  private let rowCount: Int
  private let columnCount: Int
  private let steps: Int
  /// Elements of the summed index that are cut nowhere: the taps of a kernel.
  let taps: Int
  /// Columns of the result in a column panel: half its width if the other half are gates.
  let panelColumns: Int
  /// Row panels.
  let rowBlocks: Int
  /// Groups of column panels, and the panels of the largest one.
  let groups: Int, groupPanels: Int
  /// Stretches of the summed index, and the steps of all but the last.
  let stretches: Int, stretchLength: Int

  /// - Parameters:
  ///   - steps: of the summed index: features, or channels with `taps` each.
  ///   - granularity: the length of a stretch is a multiple of it.
  ///   - isGated: whether half of a panel's columns are gates.
  init(rows: Int, columns: Int, steps: Int, taps: Int = 1, granularity: Int, isGated: Bool = false) {
    (rowCount, columnCount, self.steps, self.taps) = (rows, columns, steps, taps)
    rowBlocks = Self.parts(of: rows, PanelShape.rows)
    panelColumns = isGated ? Vector.scalarCount : PanelShape.width
    let panels = Self.parts(of: columns, panelColumns)
    let wanted = Self.parts(of: steps, max(1, PanelShape.depth / taps))
    stretchLength = Self.parts(of: Self.parts(of: steps, wanted), granularity) &* granularity
    stretches = Self.parts(of: steps, stretchLength)
    groups = Self.parts(of: panels, max(1, Self.groupFloats / (stretchLength &* taps &* PanelShape.width)))
    groupPanels = Self.parts(of: panels, groups)
  }

  /// How many pieces of at most `size` make up `count`.
  private static func parts(of count: Int, _ size: Int) -> Int { (count &+ size &- 1) / size }

  /// Floats of a column panel.
  var columnPanelFloats: Int { stretchLength &* taps &* PanelShape.width }

  /// Floats of one row panel, the group's column panels, and the sums: a tile that is finished at once, or those of
  /// all the group's tiles.
  var workspace: Int {
    PanelShape.rows * PanelShape.rowStride + groupPanels * columnPanelFloats
      + (stretches == 1 ? PanelShape.rows : rowCount * groupPanels) * PanelShape.width
  }

  /// The column panels of a group.
  @inline(__always)
  func panels(_ group: Int) -> Range<Int> {
    let panels = Self.parts(of: columnCount, panelColumns)
    return group &* panels / groups..<(group &+ 1) &* panels / groups
  }

  /// The columns of a panel, the part's first being `first`.
  @inline(__always)
  func columns(_ panel: Int, from first: Int) -> Range<Int> {
    first &+ panel &* panelColumns..<first &+ min((panel &+ 1) &* panelColumns, columnCount)
  }

  /// The columns of some panels.
  @inline(__always)
  func columns(_ panels: Range<Int>, from first: Int) -> Range<Int> {
    columns(panels.lowerBound, from: first).lowerBound..<columns(panels.upperBound &- 1, from: first).upperBound
  }

  /// A stretch of the summed index.
  @inline(__always)
  func steps(_ stretch: Int) -> Range<Int> {
    stretch &* stretchLength..<min((stretch &+ 1) &* stretchLength, steps)
  }

  /// The rows of a row panel, counted from the part's first.
  @inline(__always)
  func rows(_ block: Int) -> Range<Int> { block &* rowCount / rowBlocks..<(block &+ 1) &* rowCount / rowBlocks }

  /// Rows of the next row panel that each tile of the current one asks for.
  var rowShare: Int { Self.parts(of: PanelShape.rows, groupPanels) }

  /// Where a tile's sums are, counted in floats.
  @inline(__always)
  func tileOffset(_ block: Int, _ member: Int) -> Int {
    stretches == 1 ? 0 : (member &* rowCount &+ rows(block).lowerBound) &* PanelShape.width
  }
}
