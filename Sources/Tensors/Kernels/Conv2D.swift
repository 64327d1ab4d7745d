/// Convolution as matrix products over bands of output pixels.
///
/// Channels-last makes a pixel's channels one run of memory, so a band of the im2col matrix is gathered by copying
/// runs; only a band exists at a time (a few MB), never the image's 2.4 GB. The summed index runs over
/// `[kernel row][kernel column][channel]`, and weights, stored `[out, in, kh, kw]`, are expanded into that order
/// once a call and panel. Keeping them so would save 4 percent of a 32²×640 convolution and 15 of a 16²×1280 one,
/// but take private memory in every worker for each convolution of the model. A 1×1 convolution over every pixel
/// is a linear layer.
extension CPUDevice {
  func conv2DKernel(
    _ x: Tensor, _ normalization: GroupNormalization?, _ weights: Conv2DWeights, _ geometry: Conv2DGeometry,
    _ channelAddend: Tensor?, _ residual: Tensor?
  ) -> Tensor {
    guard let stored = weights.packed as? StoredWeights else { preconditionFailure("weights of another device") }
    precondition(
      x.shape.count == 4 && x.shape[3] == weights.inChannels,
      "conv2D: x is \(x.shape), the layer takes \(weights.inChannels) channels")
    let window = ConvolutionWindow(
      x.shape, kernelHeight: weights.kernelHeight, kernelWidth: weights.kernelWidth, geometry)
    let (batch, outputs) = (x.shape[0], weights.outChannels)
    let pixels = window.outHeight * window.outWidth
    let result = Tensor(uninitialized: [batch, window.outHeight, window.outWidth, outputs])
    precondition(
      channelAddend == nil || channelAddend?.shape == [batch, outputs],
      "conv2D: the channel addend is not [\(batch), \(outputs)]")
    precondition(residual == nil || residual?.shape == result.shape, "conv2D: the residual is not \(result.shape)")
    let epilogue = unsafe Epilogue(
      bias: stored.bias?.pointer, channelAddend: channelAddend?.pointer, rowsPerPicture: pixels,
      residual: residual?.pointer)
    if window.suitsWinograd(inputs: weights.inChannels) {
      winograd(
        x, stored, window, normalization: normalization.map { normCoefficients(x, $0) }, channelAddend: channelAddend,
        residual: residual, into: result)
      return result
    }
    let x = normalization.map { groupNormKernel(x, $0) } ?? x
    if window.isPointwise {
      unsafe dense(
        x.pointer, rows: batch * pixels, depth: weights.inChannels, stored.weight, into: result.mutablePointer,
        columns: outputs, epilogue)
      return result
    }
    let depth = window.depth
    let panelColumns = min(outputs, max(16, sizes.convolutionPanel / depth / 16 * 16))
    unsafe scratch.withBuffer(panelColumns * depth) { panel in
      for first in stride(from: 0, to: outputs, by: panelColumns) {
        let part = first..<min(first + panelColumns, outputs)
        unsafe expandTapMajor(stored.weight, outputs: part, into: panel)
        unsafe multiplyBands(
          x.pointer, window, panel: panel, into: result.mutablePointer, rows: batch * pixels, columns: part,
          stride: outputs, epilogue)
      }
    }
    return result
  }

  /// The weights of some outputs, `[in, kh · kw]` in the file, as `[kh · kw, in]` in fp32.
  private func expandTapMajor(_ weight: Parameter, outputs: Range<Int>, into panel: UnsafeMutablePointer<Float>) {
    let (inputs, taps) = (weight.shape[1], weight.shape[2] * weight.shape[3])
    let depth = inputs * taps
    // Some outputs at a time: handing out one index costs more than expanding a small kernel.
    forEachRun(of: outputs.count, length: max(1, sizes.norm / depth)) { run in
      unsafe scratch.withBuffer(depth) { stored in
        for row in run {
          unsafe expand(weight, from: (outputs.lowerBound + row) * depth, count: depth, into: stored)
          let target = unsafe panel + row * depth
          for tap in 0..<taps {
            for input in 0..<inputs { unsafe target[tap &* inputs &+ input] = stored[input &* taps &+ tap] }
          }
        }
      }
    }
  }

  /// The columns `columns` of the result, from their weights `panel`.
  private func multiplyBands(
    _ source: UnsafePointer<Float>, _ window: ConvolutionWindow, panel: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>, rows: Int, columns: Range<Int>, stride: Int, _ epilogue: Epilogue
  ) {
    // As many kernel rows at a time as fit; the product accumulates over them.
    let rowDepth = window.depth / window.kernelHeight
    let bandPixels = max(16, min(sizes.tileSide, sizes.band / rowDepth / 16 * 16))
    let grid = TileGrid(rows: rows, columns: columns.count, depth: window.depth, sizes, rowLimit: bandPixels)
    pool.run(count: grid.count) { index in
      let tile = grid.tile(index)
      let tileColumns = columns.lowerBound + tile.columns.lowerBound..<columns.lowerBound + tile.columns.upperBound
      let kernelRows = min(window.kernelHeight, max(1, sizes.band / (rowDepth * tile.rows.count)))
      unsafe scratch.withBuffer(tile.rows.count * kernelRows * rowDepth) { band in
        for first in Swift.stride(from: 0, to: window.kernelHeight, by: kernelRows) {
          let part = first..<min(first + kernelRows, window.kernelHeight)
          let partDepth = part.count * rowDepth
          unsafe window.gather(source, outputRows: tile.rows, kernelRows: part, into: band)
          unsafe multiplyTransposed(
            rows: tile.rows.count, columns: tile.columns.count, depth: partDepth,
            MatrixView(base: band, stride: partDepth),
            MatrixView(
              base: panel + tile.columns.lowerBound * window.depth + first * rowDepth, stride: window.depth),
            into: target + tile.rows.lowerBound * stride + tileColumns.lowerBound, stride: stride,
            accumulating: first > 0)
        }
      }
      unsafe epilogue.apply(to: target, stride: stride, rows: tile.rows, columns: tileColumns)
    }
  }
}
