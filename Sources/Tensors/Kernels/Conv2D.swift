internal import KernelInterface

/// Convolutions, by three ways: Winograd's method where it serves (see `Winograd.swift`), a linear layer where every pixel of the
/// result is its pixel of the input, and otherwise one product over taps and channels, gathered as it is multiplied.
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
    let epilogue = unsafe LinearEpilogue(
      bias: stored.bias?.pointer, channelAddend: channelAddend?.pointer, rowsPerPicture: pixels,
      residual: residual?.pointer)
    if window.suitsWinograd(inputs: weights.inChannels) {
      return winograd(
        x, stored, window, weights.arithmetic, normalization: normalization.map { normCoefficients(x, $0) },
        channelAddend: channelAddend, residual: residual, into: result)
    }
    let x = normalization.map { groupNormKernel(x, $0) } ?? x
    if window.isPointwise {
      unsafe dense(
        x.pointer, rows: batch * pixels, depth: weights.inChannels, stored.weight, weights.arithmetic,
        into: result.mutablePointer, columns: outputs, isGated: false, epilogue)
      return result
    }
    precondition(
      weights.kernelHeight * weights.kernelWidth <= ConvolutionWindow.largestKernel,
      "conv2D: a kernel has at most \(ConvolutionWindow.largestKernel) taps")
    let parts = LinearParts(
      rows: batch * pixels, columns: outputs, depth: window.depth, largestRows: sizes.linearRows, sizes)
    unsafe stored.weight.withBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      unsafe window.withOffsets { rowOffsets, columnOffsets in
        let task = unsafe ConvolutionTask(
          source: x.pointer, pictureStride: x.count / batch, rowOffsets: rowOffsets, columnOffsets: columnOffsets,
          channels: weights.inChannels, kernelHeight: weights.kernelHeight, kernelWidth: weights.kernelWidth,
          stride: window.stride, outHeight: window.outHeight, outWidth: window.outWidth, weight: base,
          format: stored.weight.dtype.format, outputs: outputs, target: result.mutablePointer,
          epilogue: epilogue)
        let workspace = unsafe kernels.convolutionWorkspace(task, rows: parts.partRows, outputs: parts.partColumns)
        pool.run(count: parts.count) { index in
          let (rows, columns) = parts.part(index)
          unsafe scratch.withBuffer(workspace) { buffer in
            unsafe kernels.convolution(task, rows: rows, outputs: columns, workspace: buffer)
          }
        }
      }
    }
    return result
  }
}
