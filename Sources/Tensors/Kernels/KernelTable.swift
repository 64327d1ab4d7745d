extension Tensor {
  /// A kernel's table of a few kilobytes, in memory of its own rather than in the run's arena: how wide it is depends on the
  /// instruction set, and what a run needs of its arena must not.
  init(table values: [Float], shape: [Int]) {
    self = TensorArena.$current.withValue(nil) { Tensor(values, shape: shape) }
  }
}
