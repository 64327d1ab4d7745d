internal import CProcessor
package import KernelInterface

/// `x · Wᵀ` in pairs of 16-bit integers, over weights in the type of their file.
///
/// A group of columns is expanded and rounded for all rows of the part, and stays in the second-level cache; a row panel's whole rows
/// are rounded once for each group. A tile goes through its stretches one after the other, so its sums stay in the first level.
extension VectorKernels {
  package static func roundedLinearWorkspace(rows: Int, columns: Int, depth: Int) -> Int {
    RoundedBlocks(rows: rows, columns: columns, depth: depth).workspace
  }

  package static func roundedLinear(
    _ task: LinearTask, rows: Range<Int>, columns: Range<Int>, workspace: UnsafeMutablePointer<Float>
  ) {
    switch unsafe task.format {
    case .float32: unsafe multiplyRounded(Float32Element.self, task, rows, columns, workspace)
    case .float16: unsafe multiplyRounded(Float16Element.self, task, rows, columns, workspace)
    case .bfloat16: unsafe multiplyRounded(BFloat16Element.self, task, rows, columns, workspace)
    }
  }

  @inline(never)
  private static func multiplyRounded<Element: StoredElement>(
    _: Element.Type, _ task: LinearTask, _ rows: Range<Int>, _ columns: Range<Int>,
    _ workspace: UnsafeMutablePointer<Float>
  ) {
    let blocks = unsafe RoundedBlocks(rows: rows.count, columns: columns.count, depth: task.depth)
    let weights = unsafe StoredRows<Element>(task.weight, stride: task.depth)
    for group in 0..<blocks.groups {
      let panels = blocks.panels(group)
      for panel in panels {
        unsafe packRounded(
          weights, blocks.columns(panel, from: columns.lowerBound), blocks, staging: workspace + blocks.staging,
          into: workspace + blocks.panel(panel &- panels.lowerBound))
      }
      for block in 0..<blocks.rowBlocks {
        let blockRows = blocks.rows(block, from: rows.lowerBound)
        unsafe roundRows(task, blockRows, blocks, workspace)
        for panel in panels {
          let part = blocks.columns(panel, from: columns.lowerBound)
          let target = unsafe TileTarget(
            base: task.target, stride: task.columns, row: blockRows.lowerBound, column: part.lowerBound,
            rows: blockRows.count, columns: part.count)
          unsafe target.prefetch()
          let next = unsafe nextRows(task, blockRows, before: rows.upperBound, blocks, panel &- panels.lowerBound)
          unsafe multiplyStretches(blocks, panel &- panels.lowerBound, rows: blockRows.count, workspace, ahead: next)
          unsafe finishTile(workspace + blocks.sums, task.epilogue, target)
        }
      }
    }
  }

  /// A tile, stretch by stretch.
  @inline(__always)
  private static func multiplyStretches(
    _ blocks: RoundedBlocks, _ member: Int, rows: Int, _ workspace: UnsafeMutablePointer<Float>, ahead: ReadAhead
  ) {
    var ahead = unsafe ahead
    let panel = unsafe workspace + blocks.panel(member)
    for stretch in 0..<blocks.stretches {
      let words = unsafe panel + blocks.words(before: stretch) &* PanelShape.width
      unsafe multiplyTile(
        RoundedOutput(
          sums: workspace + blocks.sums, scales: workspace + blocks.rowScale(stretch),
          columnScales: panel + blocks.columnScale(stretch), isContinued: stretch > 0),
        rows: rows, steps: PairRounding.words(blocks.steps(stretch).count),
        UnsafePointer(workspace + blocks.rowPanel(stretch)).pairWords, left: UnsafeRawPointer(words),
        right: UnsafeRawPointer(words + Vector.scalarCount), ahead: ahead)
      unsafe ahead.weights.base += 4 &* PairRounding.stretch
      unsafe ahead.inputs.base += 4 &* PairRounding.stretch
    }
  }

  /// A panel's share of the next row panel's inputs. A request is made for every sixteen words, which are two lines of inputs.
  @inline(__always)
  private static func nextRows(
    _ task: LinearTask, _ rows: Range<Int>, before end: Int, _ blocks: RoundedBlocks, _ member: Int
  ) -> ReadAhead {
    let first = rows.upperBound &+ member &* blocks.rowShare
    let count = max(0, min(blocks.rowShare, end &- first))
    func lines(_ offset: Int) -> ReadAhead.Rows {
      unsafe ReadAhead.Rows(
        base: UnsafeRawPointer(task.source + (first &* task.depth &+ offset)), count: count, stride: 4 &* task.depth,
        byteWidth: 8)
    }
    return unsafe ReadAhead(weights: lines(0), inputs: lines(16))
  }

  /// Rounds some rows.
  @inline(__always)
  private static func roundRows(
    _ task: LinearTask, _ rows: Range<Int>, _ blocks: RoundedBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    for row in rows {
      let line = row &- rows.lowerBound
      for stretch in 0..<blocks.stretches {
        let steps = blocks.steps(stretch)
        unsafe workspace[blocks.rowScale(stretch) &+ line] = PairRounding.roundRow(
          task.source + (row &* task.depth &+ steps.lowerBound), count: steps.count,
          into: workspace + (blocks.rowPanel(stretch) &+ line &* PanelShape.pairs))
      }
    }
  }

  /// Expands and rounds one column panel. Columns beyond the last repeat it; nobody reads their sums.
  @inline(__always)
  private static func packRounded<Element: StoredElement>(
    _ weights: StoredRows<Element>, _ columns: Range<Int>, _ blocks: RoundedBlocks,
    staging: UnsafeMutablePointer<Float>, into panel: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    for stretch in 0..<blocks.stretches {
      let steps = blocks.steps(stretch)
      for half in 0..<2 {
        unsafe transpose(
          weights, first: min(columns.lowerBound &+ half &* lanes, columns.upperBound &- 1),
          last: columns.upperBound &- 1, steps: steps
        ) { step, column in
          unsafe staging.store(column, at: (step &- steps.lowerBound) &* lanes)
        }
        unsafe PairRounding.roundColumns(
          staging, count: steps.count,
          into: panel + (blocks.words(before: stretch) &* PanelShape.width &+ half &* lanes),
          scales: panel + (blocks.columnScale(stretch) &+ half &* lanes))
      }
    }
  }
}

/// How a part of a linear layer in pairs is cut up, and where the pieces lie in the working memory.
private struct RoundedBlocks {
  /// Words of the column panels that are rounded at a time: 512 KB, half of a server's second-level cache.
  @inline(__always) private static var groupWords: Int { 128 << 10 }

  private let rowCount: Int, columnCount: Int, depth: Int
  /// Stretches of the summed index.
  let stretches: Int
  /// Row panels; groups of column panels, and the panels of the largest one.
  let rowBlocks: Int, groups: Int
  private let groupPanels: Int

  init(rows: Int, columns: Int, depth: Int) {
    (rowCount, columnCount, self.depth) = (rows, columns, depth)
    stretches = PairRounding.stretches(depth)
    rowBlocks = Self.parts(of: rows, PanelShape.rows)
    let panels = Self.parts(of: columns, PanelShape.width)
    groups = Self.parts(of: panels, max(1, Self.groupWords / (PairRounding.words(depth) &* PanelShape.width)))
    groupPanels = Self.parts(of: panels, groups)
  }

  /// How many pieces of at most `size` make up `count`.
  private static func parts(of count: Int, _ size: Int) -> Int { (count &+ size &- 1) / size }

  @inline(__always)
  func steps(_ stretch: Int) -> Range<Int> { PairRounding.steps(stretch, of: depth) }
  @inline(__always)
  func words(before stretch: Int) -> Int { stretch &* PanelShape.pairs }

  /// The column panels of a group.
  @inline(__always)
  func panels(_ group: Int) -> Range<Int> {
    let panels = Self.parts(of: columnCount, PanelShape.width)
    return group &* panels / groups..<(group &+ 1) &* panels / groups
  }

  /// The columns of a panel, the part's first being `first`.
  @inline(__always)
  func columns(_ panel: Int, from first: Int) -> Range<Int> {
    first &+ panel &* PanelShape.width..<first &+ min((panel &+ 1) &* PanelShape.width, columnCount)
  }

  /// The rows of a row panel, the part's first being `first`.
  @inline(__always)
  func rows(_ block: Int, from first: Int) -> Range<Int> {
    first &+ block &* rowCount / rowBlocks..<first &+ (block &+ 1) &* rowCount / rowBlocks
  }

  /// Rows of the next row panel that each panel of the current one asks for.
  var rowShare: Int { Self.parts(of: PanelShape.rows, groupPanels) }

  // MARK: Offsets in the working memory, in words

  /// Rounded rows of a stretch, and their scales.
  @inline(__always)
  func rowPanel(_ stretch: Int) -> Int { stretch &* PanelShape.rows &* PanelShape.pairs }
  @inline(__always)
  func rowScale(_ stretch: Int) -> Int {
    stretches &* PanelShape.rows &* PanelShape.pairs &+ stretch &* 16
  }
  /// A tile's sums, as the fp32 numbers that they stand for.
  var sums: Int { rowScale(stretches) }
  /// A stretch of a register of columns that is to be rounded.
  var staging: Int { sums &+ PanelShape.rows &* PanelShape.width }
  /// A column panel of a group, counted from the group's first.
  @inline(__always)
  func panel(_ member: Int) -> Int {
    let panelWords = columnScale(stretches)
    return staging &+ PairRounding.stretch &* Vector.scalarCount &+ member &* panelWords
  }
  /// In a panel, the scales of a stretch.
  @inline(__always)
  func columnScale(_ stretch: Int) -> Int { (PairRounding.words(depth) &+ stretch) &* PanelShape.width }

  var workspace: Int { panel(groupPanels) }
}
