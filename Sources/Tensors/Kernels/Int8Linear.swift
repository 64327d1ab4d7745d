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

  /// ``dense(_:rows:depth:_:into:columns:_:)`` in bytes: all inputs are rounded first, then parts of the result computed.
  func int8Dense(
    _ source: UnsafePointer<Float>, rows: Int, depth: Int, _ weight: QuantizedParameter,
    into target: UnsafeMutablePointer<Float>, columns: Int, _ epilogue: Epilogue
  ) {
    let isGated = unsafe epilogue.activation == .geglu
    let blocks = kernels.int8Blocks(rows: rows)
    let parts = Int8Parts(blocks: blocks, rows: rows, columns: columns, depth: depth, sizes)
    unsafe weight.withBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let roundedFloats = kernels.int8RoundedBytes(rows: rows, depth: depth) / MemoryLayout<Float>.stride
      unsafe scratch.withBuffer(roundedFloats) { rounded in
        let task = unsafe Int8LinearTask(
          source: source, rows: rows, depth: depth, rounded: UnsafeMutableRawPointer(rounded), weight: base,
          columns: columns, isGated: isGated, target: target,
          epilogue: LinearEpilogue(
            bias: epilogue.bias, channelAddend: epilogue.channelAddend, rowsPerPicture: epilogue.rowsPerPicture,
            function: epilogue.activation.function, residual: epilogue.residual))
        pool.run(count: parts.roundings) { index in
          unsafe kernels.int8Round(task, blocks: parts.rounding(index))
        }
        pool.run(count: parts.count) { index in
          let (blocks, columns) = parts.part(index)
          unsafe scratch.withBuffer(kernels.int8Workspace) { buffer in
            unsafe kernels.int8Linear(task, blocks: blocks, columns: columns, workspace: buffer)
          }
        }
      }
    }
  }
}

/// How an int8 layer's result is cut into parts, the units that threads take. The cut depends on the shape alone.
struct Int8Parts {
  private let blocks: Int, columns: Int
  private let blockParts: Int, columnParts: Int
  private let partColumns: Int
  /// Columns are cut at multiples of this: two registers of the widest instruction set.
  private static let granularity = 32
  /// Pieces into which the rounding of inputs is cut.
  let roundings: Int
  /// How many parts.
  var count: Int { blockParts * columnParts }

  init(blocks: Int, rows: Int, columns: Int, depth: Int, _ sizes: BlockSizes) {
    (self.blocks, self.columns) = (blocks, columns)
    // A part's rounded inputs are read once for every 32 columns: from the second-level cache, if they fit.
    blockParts = max(1, min(blocks, (rows * depth + sizes.int8Inputs - 1) / sizes.int8Inputs))
    // As many parts as balance a few threads, if they do not become too small.
    let affordable = rows / blockParts * columns * depth / sizes.int8SmallestPart
    let wanted = max(1, min(sizes.linearParts / blockParts, affordable))
    let extent = (columns + wanted - 1) / wanted
    partColumns = min(columns, (extent + Self.granularity - 1) / Self.granularity * Self.granularity)
    columnParts = (columns + partColumns - 1) / partColumns
    roundings = max(1, min(blocks, sizes.linearParts, rows * depth / sizes.run))
  }

  /// Row blocks of a piece.
  func rounding(_ index: Int) -> Range<Int> {
    index * blocks / roundings..<(index + 1) * blocks / roundings
  }

  /// The row blocks and columns of a part; neighbours read the same weights.
  func part(_ index: Int) -> (blocks: Range<Int>, columns: Range<Int>) {
    let (column, row) = index.quotientAndRemainder(dividingBy: blockParts)
    return (
      row * blocks / blockParts..<(row + 1) * blocks / blockParts,
      column * partColumns..<min((column + 1) * partColumns, columns)
    )
  }
}
