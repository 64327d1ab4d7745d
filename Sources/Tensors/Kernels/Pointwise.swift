internal import KernelInterface

/// Elementwise kernels: bound by memory, so all they need is to run on every thread.
extension CPUDevice {
  /// Calls `body` with consecutive runs of `0..<count`, of a length that does not depend on the number of threads.
  func forEachRun(of count: Int, length: Int? = nil, _ body: (Range<Int>) -> Void) {
    let length = length ?? sizes.run
    pool.run(count: (count + length - 1) / length) { index in
      body(index * length..<min((index + 1) * length, count))
    }
  }

  func activateKernel(_ x: Tensor, _ activation: Activation) -> Tensor {
    precondition(activation != .geglu, "activate: geglu halves a dimension; it belongs to linear")
    let result = Tensor(uninitialized: x.shape)
    let (source, target) = unsafe (x.pointer, result.mutablePointer)
    forEachRun(of: x.count) { run in
      unsafe kernels.map(
        activation.function, run.count, source + run.lowerBound, into: target + run.lowerBound)
    }
    return result
  }

  func combineKernel(_ a: Float, _ x: Tensor, _ b: Float, _ y: Tensor) -> Tensor {
    precondition(x.shape == y.shape, "combine: \(x.shape) and \(y.shape) differ")
    let result = Tensor(uninitialized: x.shape)
    let (first, second, target) = unsafe (x.pointer, y.pointer, result.mutablePointer)
    forEachRun(of: x.count) { run in
      let start = run.lowerBound
      unsafe kernels.combine(run.count, a, first + start, b, second + start, into: target + start)
    }
    return result
  }

  func addBroadcastKernel(_ x: Tensor, _ y: Tensor) -> Tensor {
    precondition(x.shape.suffix(y.shape.count) == y.shape[...], "addBroadcast: \(y.shape) is no suffix of \(x.shape)")
    let result = Tensor(uninitialized: x.shape)
    let (source, addend, target) = unsafe (x.pointer, y.pointer, result.mutablePointer)
    let period = y.count
    pool.run(count: x.count / period) { row in
      let start = row * period
      unsafe kernels.add(period, source + start, addend, into: target + start)
    }
    return result
  }
}
