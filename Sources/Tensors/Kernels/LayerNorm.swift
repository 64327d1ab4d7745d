internal import KernelInterface

extension CPUDevice {
  func layerNormKernel(_ x: Tensor, _ epsilon: Float, _ scale: Tensor, _ bias: Tensor) -> Tensor {
    let channels = x.shape[x.shape.count - 1]
    precondition(scale.shape == [channels] && bias.shape == [channels], "layerNorm: scale and bias are [C]")
    let result = Tensor(uninitialized: x.shape)
    let (source, target) = unsafe (x.pointer, result.mutablePointer)
    forEachRun(of: x.count / channels, length: max(1, sizes.norm / channels)) { rows in
      let offset = rows.lowerBound * channels
      unsafe kernels.layerNorm(
        source + offset, rows: rows.count, channels: channels, epsilon: epsilon, scale: scale.pointer,
        bias: bias.pointer, into: target + offset)
    }
    return result
  }
}
