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
/// The weights are taken to frequencies in every call: keeping them would take eight times the memory of the file's fp16, in
/// every worker. Who shares what depends on the size of the map: the pieces of a large one share transformed weights, the panels of
/// outputs of a small one share the transformed input. The group normalisation and SiLU that precede most convolutions happen
/// while the input is read, so the normalised map never exists. A large map that is doubled first is not: four convolutions of 2×2 of the
/// small map give the same (see `WinogradQuarter`), and come with two thirds of the products.
extension CPUDevice {
  /// - Parameters:
  ///   - normalization: coefficients of the group normalisation in front, nil for none.
  ///   - residual: of the result's shape.
  /// - Returns: the result, which knows its channels' moments.
  func winograd(
    _ x: Tensor, _ weights: StoredWeights, _ window: ConvolutionWindow, _ arithmetic: LayerArithmetic,
    normalization: NormCoefficients?, channelAddend: Tensor?, residual: Tensor?, into result: Tensor
  ) -> Tensor {
    let grid = WinogradGrid(window, sizes)
    let tiles = x.shape[0] * grid.rows * grid.columns
    let isSmall = tiles <= sizes.winogradSmallMap
    let layout = kernels.winogradLayout(
      inputs: x.shape[3], tiles: isSmall ? tiles : grid.largestBlock, step: grid.step,
      isRounded: arithmetic == .int16)
    let biases = paddedBiases(
      weights.bias, channelAddend, batch: x.shape[0], outputs: result.shape[3], width: layout.panelWidth)
    let floats = WinogradCall.momentFloats(grid: grid, layout: layout, pictures: x.shape[0], outputs: result.shape[3])
    return unsafe scratch.withBuffer(floats) { moments in
      unsafe moments.update(repeating: 0, count: floats)
      let call = unsafe WinogradCall(
        grid: grid, layout: layout, window: window, x: x, normalization: normalization, biases: biases, result: result,
        residual: residual, moments: moments, sizes)
      unsafe weights.weight.withBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        let format = weights.weight.dtype.format
        if isSmall {
          unsafe convolveSmallMap(call, base, format)
        } else {
          unsafe convolveBlocks(call, base, format)
        }
      }
      return result.with(moments: call.channelMoments)
    }
  }

  /// Block by block, for maps of many tiles. All that a block needs between the input and the result (its frequencies, and the
  /// sums of one panel of outputs) stays in the second-level cache.
  private func convolveBlocks(_ call: WinogradCall, _ weight: UnsafeRawPointer, _ format: WeightFormat) {
    let (layout, panels) = (call.layout, call.panels)
    let panelCount = layout.weightCount(channels: layout.inputs)
    // As many panels at a time as their frequencies have room; nearly equally many each time.
    let passes = (panels + max(1, sizes.winogradWeights / panelCount) - 1) / max(1, sizes.winogradWeights / panelCount)
    unsafe scratch.withBuffer((panels + passes - 1) / passes * panelCount) { frequencies in
      for pass in 0..<passes {
        let part = panels * pass / passes..<panels * (pass + 1) / passes
        // What is rounded together is one run.
        let runChannels = layout.isRounded ? layout.stretch : sizes.winogradRun
        let runs = (layout.inputs + runChannels - 1) / runChannels
        pool.run(count: part.count * runs) { index in
          let (panel, run) = index.quotientAndRemainder(dividingBy: runs)
          let first = run * runChannels
          unsafe transformWeights(
            call, weight, format, panel: part.lowerBound + panel,
            channels: first..<min(first + runChannels, layout.inputs), held: 0..<layout.inputs,
            into: frequencies + panel * panelCount)
        }
        // Enough pieces for every thread even if the map has one block; each piece transforms its input itself.
        let blocks = call.x.shape[0] * call.grid.count
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
          source, rows: rows, columns: columns, layout, scratch: memory + staging, into: frequencies, firstRow: 0)
      }
      for (number, panel) in panels.enumerated() {
        unsafe kernels.winogradMultiply(
          frequencies, channels: 0..<layout.inputs, weights + number * layout.weightCount(channels: layout.inputs),
          tiles: rows * columns, layout, into: sums)
        unsafe kernels.winogradOutput(
          sums, rows: rows, columns: columns, layout, into: call.target(picture: picture, block: index, panel: panel))
      }
    }
  }

  /// Panel by panel, for maps of few tiles, whose weights outweigh everything else: they are transformed where they are used, some
  /// input channels at a time, and never leave the second-level cache. The input's frequencies, for once, are kept whole.
  private func convolveSmallMap(_ call: WinogradCall, _ weight: UnsafeRawPointer, _ format: WeightFormat) {
    let (grid, layout) = (call.grid, call.layout)
    let blocks = call.x.shape[0] * grid.count
    let starts = call.blockStarts
    let part = min(layout.inputs, layout.isRounded ? layout.stretch : sizes.winogradSmallMapChannels)
    unsafe scratch.withBuffer(layout.inputCount) { frequencies in
      pool.run(count: blocks) { block in
        let (picture, index) = block.quotientAndRemainder(dividingBy: grid.count)
        let tiles = grid.block(index)
        let (rows, columns) = (tiles.rows.count, tiles.columns.count)
        unsafe scratch.withBuffer(layout.inputScratch(rows: rows, columns: columns)) { staging in
          unsafe call.withSource(picture: picture, tiles) { source in
            unsafe kernels.winogradInput(
              source, rows: rows, columns: columns, layout, scratch: staging, into: frequencies,
              firstRow: starts[block])
          }
        }
      }
      pool.run(count: call.panels) { panel in
        unsafe scratch.withBuffer(layout.weightCount(channels: part) + layout.sumCount) { sums in
          let weights = unsafe sums + layout.sumCount
          for first in stride(from: 0, to: layout.inputs, by: part) {
            let channels = first..<min(first + part, layout.inputs)
            unsafe transformWeights(
              call, weight, format, panel: panel, channels: channels, held: channels, into: weights)
            unsafe kernels.winogradMultiply(
              frequencies, channels: channels, weights, tiles: layout.tiles, layout, into: sums)
          }
          for block in 0..<blocks {
            let (picture, index) = block.quotientAndRemainder(dividingBy: grid.count)
            let tiles = grid.block(index)
            unsafe kernels.winogradOutput(
              sums + starts[block] * layout.panelWidth, rows: tiles.rows.count, columns: tiles.columns.count, layout,
              into: call.target(picture: picture, block: index, panel: panel))
          }
        }
      }
    }
  }

  /// The frequencies of some input channels of one panel, into memory that holds those of `held`.
  private func transformWeights(
    _ call: WinogradCall, _ weight: UnsafeRawPointer, _ format: WeightFormat, panel: Int, channels: Range<Int>,
    held: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) {
    unsafe scratch.withBuffer(call.layout.weightScratch(channels: channels.count)) { staging in
      unsafe kernels.winogradWeights(
        weight, format, outputs: call.outputs(panel), channels: channels, held: held, quarter: call.quarter(panel),
        call.layout, scratch: staging, into: target)
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
