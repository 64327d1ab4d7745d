internal import KernelInterface

extension ConvolutionWindow {
  /// Whether the method serves a convolution of `inputs` channels: it is as exact for any shape, but small maps fill its tiles
  /// badly, and with few channels the transforms cost more than the products save.
  func suitsWinograd(inputs: Int) -> Bool {
    guard kernelHeight == 3, kernelWidth == 3, stride == 1, inputs >= 16 else { return false }
    let tiles = (outHeight + 3) / 4 * ((outWidth + 3) / 4)
    return 5 * tiles < outHeight * outWidth
  }
}

/// 3×3 convolution by Winograd's method: a quarter of the multiplications (see `WinogradKernels`).
///
/// The weights are taken to frequencies once a call and shared by all threads: keeping them would take eight times the
/// memory of the file's fp16, in every worker. Then threads take blocks of tiles, and all that a block needs between the
/// input and the result (its frequencies, and the sums of one panel of outputs) stays in the second-level cache. The
/// group normalisation and SiLU that precede most convolutions happen while a block is read, so the normalised map never exists.
extension CPUDevice {
  /// - Parameters:
  ///   - normalization: coefficients of the group normalisation in front, nil for none.
  ///   - residual: of the result's shape.
  func winograd(
    _ x: Tensor, _ weights: StoredWeights, _ window: ConvolutionWindow, normalization: NormCoefficients?,
    channelAddend: Tensor?, residual: Tensor?, into result: Tensor
  ) {
    let grid = WinogradGrid(height: window.outHeight, width: window.outWidth, sizes)
    let layout = kernels.winogradLayout(inputs: x.shape[3], tiles: grid.largestBlock)
    let panels = (result.shape[3] + layout.panelWidth - 1) / layout.panelWidth
    let panelCount = WinogradLayout.frequencies * layout.inputs * layout.panelWidth
    // As many panels at a time as their frequencies have room; nearly equally many each time.
    let passes = (panels + max(1, sizes.winogradWeights / panelCount) - 1) / max(1, sizes.winogradWeights / panelCount)
    let biases = paddedBiases(
      weights.bias, channelAddend, batch: x.shape[0], outputs: result.shape[3], width: layout.panelWidth)
    let call = WinogradCall(
      grid: grid, layout: layout, window: window, x: x, normalization: normalization, biases: biases, result: result,
      residual: residual)
    unsafe scratch.withBuffer((panels + passes - 1) / passes * panelCount) { frequencies in
      for pass in 0..<passes {
        let part = panels * pass / passes..<panels * (pass + 1) / passes
        unsafe transformWeights(weights.weight, panels: part, layout, into: frequencies)
        // Enough pieces for every thread even if the map has one block; each piece transforms its input itself.
        let blocks = x.shape[0] * grid.count
        let pieces = min(part.count, max(1, sizes.winogradPieces / blocks))
        pool.run(count: blocks * pieces) { index in
          let (block, piece) = index.quotientAndRemainder(dividingBy: pieces)
          let own = part.lowerBound + part.count * piece / pieces..<part.lowerBound + part.count * (piece + 1) / pieces
          unsafe convolve(
            call, block: block, panels: own, frequencies + (own.lowerBound - part.lowerBound) * panelCount)
        }
      }
    }
  }

  /// One block of tiles of one picture, some panels of outputs, whose weights begin at `weights`.
  private func convolve(_ call: WinogradCall, block: Int, panels: Range<Int>, _ weights: UnsafePointer<Float>) {
    let (picture, index) = block.quotientAndRemainder(dividingBy: call.grid.count)
    let tiles = call.grid.block(index)
    let (rows, columns) = (tiles.rows.count, tiles.columns.count)
    let layout = call.layout
    let staging = layout.inputCount + layout.sumCount
    unsafe scratch.withBuffer(staging + layout.inputScratch(rows: rows, columns: columns)) { memory in
      let (frequencies, sums) = unsafe (memory, memory + layout.inputCount)
      unsafe call.withSource(picture: picture, tiles) { source in
        unsafe kernels.winogradInput(
          source, rows: rows, columns: columns, layout, scratch: memory + staging, into: frequencies)
      }
      for (number, panel) in panels.enumerated() {
        unsafe kernels.winogradMultiply(
          frequencies, weights + number * WinogradLayout.frequencies * layout.inputs * layout.panelWidth,
          tiles: rows * columns, layout, into: sums)
        unsafe kernels.winogradOutput(
          sums, rows: rows, columns: columns, layout, into: call.target(picture: picture, tiles, panel: panel))
      }
    }
  }

  /// The frequencies of some panels of outputs: `[panel][frequency][input][output of the panel]`.
  private func transformWeights(
    _ weight: Parameter, panels: Range<Int>, _ layout: WinogradLayout, into target: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs, width) = (layout.inputs, weight.shape[0], layout.panelWidth)
    let runs = (inputs + sizes.winogradRun - 1) / sizes.winogradRun
    let stride = 9 * sizes.winogradRun + layout.lanes
    pool.run(count: panels.count * runs) { index in
      let (panel, run) = index.quotientAndRemainder(dividingBy: runs)
      let first = run * sizes.winogradRun
      let count = min(sizes.winogradRun, inputs - first)
      unsafe scratch.withBuffer(2 * width * stride) { kernels in
        for column in 0..<width {
          let output = (panels.lowerBound + panel) * width + column
          let row = unsafe kernels + column * stride
          // Columns beyond the last output are multiplied too, and nobody reads the products.
          guard output < outputs else {
            unsafe row.update(repeating: 0, count: stride)
            continue
          }
          unsafe expand(weight, from: (output * inputs + first) * 9, count: count * 9, into: row)
          unsafe (row + count * 9).update(repeating: 0, count: layout.lanes)
        }
        unsafe self.kernels.winogradWeights(
          kernels, stride: stride, inputs: count, scratch: kernels + width * stride,
          into: target + (panel * WinogradLayout.frequencies * inputs + first) * width, frequencyStride: inputs * width)
      }
    }
  }

  /// Bias and channel addend together, a row a picture, zeros beyond the outputs.
  private func paddedBiases(
    _ bias: Tensor?, _ channelAddend: Tensor?, batch: Int, outputs: Int, width: Int
  ) -> Tensor {
    let padded = (outputs + width - 1) / width * width
    let (biases, addends) = (bias?.array, channelAddend?.array)
    var values = [Float](repeating: 0, count: batch * padded)
    for picture in 0..<batch {
      for output in 0..<outputs {
        values[picture * padded + output] = (biases?[output] ?? 0) + (addends?[picture * outputs + output] ?? 0)
      }
    }
    return Tensor(table: values, shape: [batch, padded])
  }
}

/// What the blocks of one call share.
private struct WinogradCall {
  let grid: WinogradGrid
  let layout: WinogradLayout
  let window: ConvolutionWindow
  let x: Tensor
  let normalization: NormCoefficients?
  /// A row a picture, whole panels wide.
  let biases: Tensor
  let result: Tensor
  let residual: Tensor?
  private let rowOffsets: [Int]
  private let columnOffsets: [Int]

  init(
    grid: WinogradGrid, layout: WinogradLayout, window: ConvolutionWindow, x: Tensor, normalization: NormCoefficients?,
    biases: Tensor, result: Tensor, residual: Tensor?
  ) {
    self.grid = grid
    self.layout = layout
    self.window = window
    self.x = x
    self.normalization = normalization
    self.biases = biases
    self.result = result
    self.residual = residual
    rowOffsets = window.rowOffsets(count: 4 * grid.rows + 2)
    columnOffsets = window.columnOffsets(count: 4 * grid.columns + 2)
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
            picture: x.pointer + picture * (x.count / x.shape[0]), rowOffsets: rows + 4 * tiles.rows.lowerBound,
            columnOffsets: columns + 4 * tiles.columns.lowerBound, channels: layout.inputs,
            normalization: normalization?.table(picture: picture), activates: normalization?.activates ?? false))
      }
    }
  }

  /// Where a block writes the outputs of a panel.
  func target(picture: Int, _ tiles: (rows: Range<Int>, columns: Range<Int>), panel: Int) -> WinogradTarget {
    let (height, width, outputs) = (result.shape[1], result.shape[2], result.shape[3])
    let (row, column) = (4 * tiles.rows.lowerBound, 4 * tiles.columns.lowerBound)
    let output = panel * layout.panelWidth
    let offset = ((picture * height + row) * width + column) * outputs + output
    return unsafe WinogradTarget(
      base: result.mutablePointer + offset, rowStride: width * outputs, pixelStride: outputs, height: height - row,
      width: width - column, outputs: outputs - output,
      bias: biases.pointer + picture * biases.shape[1] + output,
      residual: residual.map { unsafe UnsafePointer($0.pointer + offset) })
  }
}

/// How the tiles of a map are cut into blocks.
struct WinogradGrid {
  /// Tiles down and across.
  let rows: Int, columns: Int
  private let rowBlocks: Int, columnBlocks: Int

  init(height: Int, width: Int, _ sizes: BlockSizes) {
    (rows, columns) = ((height + 3) / 4, (width + 3) / 4)
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
