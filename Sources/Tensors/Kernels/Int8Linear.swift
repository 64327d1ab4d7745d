internal import KernelInterface

/// A layer as `CPUDevice` holds it when its weights are bytes.
struct StoredInt8Weights: Sendable {
  let weight: QuantizedParameter
  let bias: Tensor?
}

extension CPUDevice {
  /// Keeps the bytes where they are; expands the bias.
  public func linearWeights(_ weight: QuantizedParameter, bias: Parameter?) throws -> LinearWeights {
    precondition(bias == nil || bias?.shape == [weight.shape[0]], "\(weight.name): bias does not match")
    return LinearWeights(
      inFeatures: weight.shape[1], outFeatures: weight.shape[0],
      packed: StoredInt8Weights(weight: weight, bias: try bias.map(vector)))
  }

  /// ``dense(_:rows:depth:_:into:columns:isGated:_:)`` in bytes: inputs are rounded first, as many at a time as there is room for, then parts of
  /// the result computed.
  func int8Dense(
    _ source: UnsafePointer<Float>, rows: Int, depth: Int, _ weight: QuantizedParameter,
    into target: UnsafeMutablePointer<Float>, columns: Int, isGated: Bool, _ epilogue: LinearEpilogue
  ) {
    let blocks = kernels.int8Blocks(rows: rows)
    let blockBytes = kernels.int8BlockBytes(depth: depth)
    let runs = (blocks * blockBytes + sizes.int8Rounded - 1) / sizes.int8Rounded
    let runBlocks = (blocks + runs - 1) / runs
    unsafe weight.withBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      unsafe scratch.withBuffer(runBlocks * blockBytes / MemoryLayout<Float>.stride) { rounded in
        var task = unsafe Int8LinearTask(
          source: source, rows: rows, depth: depth, firstBlock: 0, rounded: UnsafeMutableRawPointer(rounded),
          weight: base, columns: columns, isGated: isGated, target: target, epilogue: epilogue)
        for first in stride(from: 0, to: blocks, by: runBlocks) {
          unsafe task.firstBlock = first
          let run = first..<min(first + runBlocks, blocks)
          unsafe int8Run(task, blocks: run, rows: (rows * run.count + blocks - 1) / blocks)
        }
      }
    }
  }

  private func int8Run(_ task: Int8LinearTask, blocks: Range<Int>, rows: Int) {
    let columns = unsafe task.columns
    let bytes = unsafe rows * task.depth
    let roundings = max(1, min(blocks.count, sizes.linearParts, bytes / sizes.run))
    pool.run(count: roundings) { index in unsafe kernels.int8Round(task, blocks: blocks.piece(index, of: roundings)) }
    // A part's rounded inputs are read once for every 32 columns: from the second-level cache, if they fit.
    let blockParts = max(1, min(blocks.count, (bytes + sizes.int8Inputs - 1) / sizes.int8Inputs))
    let parts = LinearParts(
      rows: blocks, rowParts: blockParts, columns: columns,
      wanted: min(sizes.linearParts / blockParts, bytes / blockParts * columns / sizes.int8SmallestPart))
    pool.run(count: parts.count) { index in
      let (blocks, columns) = parts.part(index)
      unsafe scratch.withBuffer(kernels.int8Workspace) { buffer in
        unsafe kernels.int8Linear(task, blocks: blocks, columns: columns, workspace: buffer)
      }
    }
  }
}
