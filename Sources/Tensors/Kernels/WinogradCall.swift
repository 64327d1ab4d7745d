internal import KernelInterface

/// What the blocks of one call share.
@safe struct WinogradCall {
  let grid: WinogradGrid
  let layout: WinogradLayout
  let window: ConvolutionWindow
  let x: Tensor
  let normalization: NormCoefficients?
  /// A row a picture, whole panels wide.
  let biases: Tensor
  let result: Tensor
  let residual: Tensor?
  /// Memory for what each block adds up of each panel.
  let momentMemory: UnsafeMutablePointer<Float>
  /// Whether the result is larger than the caches that it would go through.
  private let streams: Bool
  private let rowOffsets: [Int]
  private let columnOffsets: [Int]

  init(
    grid: WinogradGrid, layout: WinogradLayout, window: ConvolutionWindow, x: Tensor, normalization: NormCoefficients?,
    biases: Tensor, result: Tensor, residual: Tensor?, moments: UnsafeMutablePointer<Float>, _ sizes: BlockSizes
  ) {
    unsafe momentMemory = moments
    self.grid = grid
    self.layout = layout
    self.window = window
    self.x = x
    self.normalization = normalization
    self.biases = biases
    self.result = result
    self.residual = residual
    streams = result.count >= sizes.streamedResult && result.shape[3].isMultiple(of: 16)
    let (height, width) = (layout.inputExtent(tiles: grid.rows), layout.inputExtent(tiles: grid.columns))
    if grid.isQuartered {
      let channels = layout.inputs
      // The first gap is the one before the first pixel.
      rowOffsets = (-1..<height - 1).map { 0 <= $0 && $0 < x.shape[1] ? $0 * x.shape[2] * channels : -1 }
      columnOffsets = (-1..<width - 1).map { 0 <= $0 && $0 < x.shape[2] ? $0 * channels : -1 }
    } else {
      rowOffsets = window.rowOffsets(count: height)
      columnOffsets = window.columnOffsets(count: width)
    }
  }

  /// The row of each block's first tile, if the frequencies of all blocks of all pictures lie one after the other.
  var blockStarts: [Int] {
    var (starts, next): ([Int], Int) = ([], 0)
    for block in 0..<x.shape[0] * grid.count {
      starts.append(next)
      let tiles = grid.block(block % grid.count)
      next += tiles.rows.count * tiles.columns.count
    }
    return starts
  }

  /// Panels of all outputs.
  private var outputPanels: Int { (result.shape[3] + layout.panelWidth - 1) / layout.panelWidth }

  /// Panels of outputs; of each quarter, one after the other, if there are quarters.
  var panels: Int { grid.isQuartered ? 4 * outputPanels : outputPanels }

  /// The outputs of a panel; the last may have fewer than it is wide.
  func outputs(_ panel: Int) -> Range<Int> {
    let panel = panel % outputPanels
    return panel * layout.panelWidth..<min((panel + 1) * layout.panelWidth, result.shape[3])
  }

  /// The quarter of the pixels that a panel is of; nil if it is of all.
  func quarter(_ panel: Int) -> WinogradQuarter? {
    guard grid.isQuartered else { return nil }
    let number = panel / outputPanels
    return WinogradQuarter(isLower: number >= 2, isRight: number % 2 == 1)
  }

  /// Where a block reads.
  func withSource(
    picture: Int, _ tiles: (rows: Range<Int>, columns: Range<Int>), _ body: (WinogradSource) -> Void
  ) {
    unsafe rowOffsets.withUnsafeBufferPointer { rows in
      unsafe columnOffsets.withUnsafeBufferPointer { columns in
        guard let rows = rows.baseAddress, let columns = columns.baseAddress else { return }
        unsafe body(
          WinogradSource(
            picture: x.pointer + picture * (x.count / x.shape[0]),
            rowOffsets: rows + layout.step * tiles.rows.lowerBound,
            columnOffsets: columns + layout.step * tiles.columns.lowerBound, channels: layout.inputs,
            normalization: normalization?.table(picture: picture), activates: normalization?.activates ?? false))
      }
    }
  }

  /// Where a block writes the outputs of a panel.
  func target(picture: Int, block: Int, panel: Int) -> WinogradTarget {
    let tiles = grid.block(block)
    let (height, width, outputs) = (result.shape[1], result.shape[2], result.shape[3])
    // Of a quarter, every other row and column, from the one before the picture on or from the first.
    let quarter = quarter(panel)
    let (spacing, below, right) = (quarter == nil ? 1 : 2, quarter?.isLower ?? true, quarter?.isRight ?? true)
    let row = spacing * layout.step * tiles.rows.lowerBound - (below ? 0 : 1)
    let column = spacing * layout.step * tiles.columns.lowerBound - (right ? 0 : 1)
    let output = self.outputs(panel).lowerBound
    let offset = ((picture * height + row) * width + column) * outputs + output
    return unsafe WinogradTarget(
      base: result.mutablePointer + offset, rowStride: spacing * width * outputs, pixelStride: spacing * outputs,
      top: row < 0 ? 1 : 0, left: column < 0 ? 1 : 0, height: (height - row + spacing - 1) / spacing,
      width: (width - column + spacing - 1) / spacing, outputs: outputs - output,
      bias: biases.pointer + picture * biases.shape[1] + output,
      residual: residual.map { unsafe UnsafePointer($0.pointer + offset) }, streams: streams,
      moments: moments(picture: picture, block: block, panel: panel))
  }
}
