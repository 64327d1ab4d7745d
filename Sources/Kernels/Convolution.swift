internal import CProcessor
package import KernelInterface

/// Convolution by products, for what Winograd's method does not take: strides, few channels, other kernels.
///
/// Like a linear layer, of which it differs in two things. A row of the left operand is gathered, tap by tap, a run of
/// channels each. And the summed index is cut between channels: a stretch has all taps of some channels, whose weights lie side by
/// side in the file; in the products they stand tap by tap, so that gathering copies runs.
extension VectorKernels {
  package static func convolutionWorkspace(_ task: ConvolutionTask, rows: Int, outputs: Int) -> Int {
    unsafe convolutionBlocks(task, rows: rows, outputs: outputs).workspace
  }

  package static func convolution(
    _ task: ConvolutionTask, rows: Range<Int>, outputs: Range<Int>, workspace: UnsafeMutablePointer<Float>
  ) {
    switch unsafe task.format {
    case .float32: unsafe convolve(Float32Element.self, task, rows, outputs, workspace)
    case .float16: unsafe convolve(Float16Element.self, task, rows, outputs, workspace)
    case .bfloat16: unsafe convolve(BFloat16Element.self, task, rows, outputs, workspace)
    }
  }

  @inline(never)
  private static func convolve<Element: StoredElement>(
    _: Element.Type, _ task: ConvolutionTask, _ rows: Range<Int>, _ outputs: Range<Int>,
    _ workspace: UnsafeMutablePointer<Float>
  ) {
    let blocks = unsafe convolutionBlocks(task, rows: rows.count, outputs: outputs.count)
    let panels = unsafe workspace + PanelShape.rows &* PanelShape.rowStride
    let sums = unsafe panels + blocks.groupPanels &* blocks.columnPanelFloats
    for group in 0..<blocks.groups {
      let members = blocks.panels(group)
      for stretch in 0..<blocks.stretches {
        let channels = blocks.steps(stretch)
        for panel in members {
          unsafe packKernels(
            Element.self, task, blocks.columns(panel, from: outputs.lowerBound), channels,
            into: panels + (panel &- members.lowerBound) &* blocks.columnPanelFloats)
        }
        for block in 0..<blocks.rowBlocks {
          let part = blocks.rows(block)
          unsafe gather(
            task, rows.lowerBound &+ part.lowerBound..<rows.lowerBound &+ part.upperBound, channels, into: workspace)
          for panel in members {
            let member = panel &- members.lowerBound
            let tile = unsafe sums + blocks.tileOffset(block, member)
            let columns = blocks.columns(panel, from: outputs.lowerBound)
            unsafe multiplyTile(
              rows: part.count, depth: channels.count &* blocks.taps, workspace,
              panels + member &* blocks.columnPanelFloats,
              into: tile, isContinued: stretch > 0)
            guard stretch == blocks.stretches &- 1 else { continue }
            let target = unsafe TileTarget(
              base: task.target, stride: task.outputs, row: rows.lowerBound &+ part.lowerBound,
              column: columns.lowerBound, rows: part.count, columns: columns.count)
            unsafe finishTile(tile, task.epilogue, target)
          }
        }
      }
    }
  }

  @inline(__always)
  private static func convolutionBlocks(_ task: ConvolutionTask, rows: Int, outputs: Int) -> ProductBlocks {
    unsafe ProductBlocks(
      rows: rows, columns: outputs, steps: task.channels, taps: task.kernelHeight &* task.kernelWidth, granularity: 1)
  }

  /// The inputs of some pixels of the result: a row each, `[tap][channel]`.
  @inline(__always)
  private static func gather(
    _ task: ConvolutionTask, _ rows: Range<Int>, _ channels: Range<Int>, into panel: UnsafeMutablePointer<Float>
  ) {
    var target = unsafe panel
    for row in rows {
      let (line, column) = unsafe row.quotientAndRemainder(dividingBy: task.outWidth)
      let (picture, y) = unsafe line.quotientAndRemainder(dividingBy: task.outHeight)
      let source = unsafe task.source + (picture &* task.pictureStride &+ channels.lowerBound)
      let (rowOffsets, columnOffsets) = unsafe (
        task.rowOffsets + y &* task.stride, task.columnOffsets + column &* task.stride
      )
      var run = unsafe target
      for kernelRow in unsafe 0..<task.kernelHeight {
        let rowOffset = unsafe rowOffsets[kernelRow]
        for kernelColumn in unsafe 0..<task.kernelWidth {
          let columnOffset = unsafe columnOffsets[kernelColumn]
          if rowOffset >= 0 && columnOffset >= 0 {
            unsafe copy(channels.count, source + (rowOffset &+ columnOffset), to: run)
          } else {
            for channel in 0..<channels.count { unsafe run[channel] = 0 }
          }
          unsafe run += channels.count
        }
      }
      unsafe target += PanelShape.rowStride
    }
  }

  /// Expands the weights of one column panel, `[tap][channel][output]`.
  @inline(__always)
  private static func packKernels<Element: StoredElement>(
    _: Element.Type, _ task: ConvolutionTask, _ outputs: Range<Int>, _ channels: Range<Int>,
    into panel: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    let taps = unsafe task.kernelHeight &* task.kernelWidth
    let source = unsafe StoredRows<Element>(task.weight, stride: task.channels &* taps)
    for half in 0..<2 {
      let target = unsafe panel + half &* lanes
      unsafe transpose(
        source, first: outputs.lowerBound &+ half &* lanes, last: outputs.upperBound &- 1,
        steps: channels.lowerBound &* taps..<channels.upperBound &* taps
      ) { step, column in
        let (channel, tap) = step.quotientAndRemainder(dividingBy: taps)
        unsafe target.store(
          column, at: (tap &* channels.count &+ channel &- channels.lowerBound) &* PanelShape.width)
      }
    }
  }
}
