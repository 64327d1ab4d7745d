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
          let parts = Int8Parts(
            blocks: run, rows: (rows * run.count + blocks - 1) / blocks, columns: columns, depth: depth, sizes)
          unsafe int8Run(task, parts)
        }
      }
    }
  }

  private func int8Run(_ task: Int8LinearTask, _ parts: Int8Parts) {
    pool.run(count: parts.roundings) { index in unsafe kernels.int8Round(task, blocks: parts.rounding(index)) }
    pool.run(count: parts.count) { index in
      let (blocks, columns) = parts.part(index)
      unsafe scratch.withBuffer(kernels.int8Workspace) { buffer in
        unsafe kernels.int8Linear(task, blocks: blocks, columns: columns, workspace: buffer)
      }
    }
  }
}

/// How an int8 layer's result is cut into parts, the units that threads take. The cut depends on the shape alone.
struct Int8Parts {
  private let blocks: Range<Int>, columns: Int
  private let blockParts: Int, columnParts: Int
  private let partColumns: Int
  /// Columns are cut at multiples of this: two registers of the widest instruction set.
  private static let granularity = 32
  /// Pieces into which the rounding of inputs is cut.
  let roundings: Int
  /// How many parts.
  var count: Int { blockParts * columnParts }

  init(blocks: Range<Int>, rows: Int, columns: Int, depth: Int, _ sizes: BlockSizes) {
    (self.blocks, self.columns) = (blocks, columns)
    // A part's rounded inputs are read once for every 32 columns: from the second-level cache, if they fit.
    blockParts = max(1, min(blocks.count, (rows * depth + sizes.int8Inputs - 1) / sizes.int8Inputs))
    // As many parts as balance a few threads, if they do not become too small.
    let affordable = rows / blockParts * columns * depth / sizes.int8SmallestPart
    let wanted = max(1, min(sizes.linearParts / blockParts, affordable))
    let extent = (columns + wanted - 1) / wanted
    partColumns = min(columns, (extent + Self.granularity - 1) / Self.granularity * Self.granularity)
    columnParts = (columns + partColumns - 1) / partColumns
    roundings = max(1, min(blocks.count, sizes.linearParts, rows * depth / sizes.run))
  }

  /// Row blocks of a piece.
  func rounding(_ index: Int) -> Range<Int> {
    piece(index, of: roundings)
  }

  /// The row blocks and columns of a part; neighbours read the same weights.
  func part(_ index: Int) -> (blocks: Range<Int>, columns: Range<Int>) {
    let (column, row) = index.quotientAndRemainder(dividingBy: blockParts)
    return (
      piece(row, of: blockParts),
      column * partColumns..<min((column + 1) * partColumns, columns)
    )
  }

  private func piece(_ index: Int, of count: Int) -> Range<Int> {
    let first = blocks.lowerBound
    return first + index * blocks.count / count..<first + (index + 1) * blocks.count / count
  }
}
