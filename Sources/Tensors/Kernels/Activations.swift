/// `target = activation(source)`, elementwise; the two may be the same memory. Any activation but `.geglu`.
func applyActivation(
  _ count: Int, _ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, _ activation: Activation
) {
  switch activation {
  case .none:
    if unsafe UnsafePointer(target) != source { unsafe target.update(from: source, count: count) }
  case .silu: unsafe mapLanes(count, source, into: target) { $0 / (1 + exponential(-$0)) }
  case .gelu: unsafe mapLanes(count, source, into: target) { gaussianErrorLinearUnit($0) }
  case .quickGELU: unsafe mapLanes(count, source, into: target) { $0 / (1 + exponential($0 * -1.702)) }
  case .geglu: preconditionFailure("geglu halves a dimension; it belongs to linear")
  }
}

extension CPUDevice {
  func activateKernel(_ x: Tensor, _ activation: Activation) -> Tensor {
    precondition(activation != .geglu, "activate: geglu halves a dimension; it belongs to linear")
    let result = Tensor(uninitialized: x.shape)
    let (source, target) = unsafe (x.pointer, result.mutablePointer)
    forEachRun(of: x.count) { run in
      unsafe applyActivation(run.count, source + run.lowerBound, into: target + run.lowerBound, activation)
    }
    return result
  }
}
