internal import KernelInterface

/// `x · Wᵀ` over weights that stay in the type of their file.
///
/// An fp32 copy of a full-size model would be 14 GB, in every worker. Instead the result is cut into parts, and the thread that
/// takes a part expands the weights that it needs, some hundred columns at a time, into memory of its own.

/// A layer as `CPUDevice` holds it: the stored weight and its expanded bias.
struct StoredWeights: Sendable {
  let weight: Parameter
  let bias: Tensor?
}

extension CPUDevice {
  func linearKernel(_ x: Tensor, _ weights: LinearWeights, _ activation: Activation, _ residual: Tensor?) -> Tensor {
    precondition(
      x.shape.last == weights.inFeatures, "linear: x is \(x.shape), the layer takes \(weights.inFeatures) features")
    let isGated = activation == .geglu
    precondition(!isGated || weights.outFeatures.isMultiple(of: 2), "geglu needs an even number of features")
    let width = isGated ? weights.outFeatures / 2 : weights.outFeatures
    let result = Tensor(uninitialized: Array(x.shape.dropLast()) + [width])
    precondition(residual == nil || residual?.shape == result.shape, "linear: the residual is not \(result.shape)")
    let rows = x.count / weights.inFeatures
    func epilogue(_ bias: Tensor?) -> LinearEpilogue {
      unsafe LinearEpilogue(bias: bias?.pointer, function: activation.function, residual: residual?.pointer)
    }
    switch weights.packed {
    case let stored as StoredWeights:
      unsafe dense(
        x.pointer, rows: rows, depth: weights.inFeatures, stored.weight, into: result.mutablePointer, columns: width,
        isGated: isGated, epilogue(stored.bias))
    case let stored as StoredInt8Weights:
      unsafe int8Dense(
        x.pointer, rows: rows, depth: weights.inFeatures, stored.weight, into: result.mutablePointer, columns: width,
        isGated: isGated, epilogue(stored.bias))
    default: preconditionFailure("weights of another device")
    }
    return result
  }

  /// `target[rows, columns] = epilogue(source[rows, depth] · weightᵀ)`, weight `[columns, depth]`, or
  /// `[2 · columns, depth]` when it is gated: values, then gates.
  func dense(
    _ source: UnsafePointer<Float>, rows: Int, depth: Int, _ weight: Parameter,
    into target: UnsafeMutablePointer<Float>, columns: Int, isGated: Bool, _ epilogue: LinearEpilogue
  ) {
    precondition(
      weight.count == (isGated ? 2 : 1) * columns * depth, "\(weight.name): \(weight.shape) does not fit the layer")
    let parts = LinearParts(rows: rows, columns: columns, depth: depth, sizes)
    let workspace = kernels.linearWorkspace(rows: parts.partRows, columns: parts.partColumns, depth: depth)
    unsafe weight.withBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let task = unsafe LinearTask(
        source: source, depth: depth, weight: base, format: weight.dtype.format, columns: columns, isGated: isGated,
        target: target, epilogue: epilogue)
      pool.run(count: parts.count) { index in
        let (rows, columns) = parts.part(index)
        unsafe scratch.withBuffer(workspace) { buffer in
          unsafe kernels.linear(task, rows: rows, columns: columns, workspace: buffer)
        }
      }
    }
  }
}

/// How a linear layer's result is cut into parts, the units that threads take.
///
/// The weights of a part are expanded for it, and its inputs copied, so parts are as large as a good balance of the threads allows.
/// The cut depends on the shape alone.
struct LinearParts {
  private let rows: Int, columns: Int
  private let rowParts: Int, columnParts: Int
  /// Columns are cut at multiples of this: two registers of the widest instruction set.
  private static let granularity = 32

  /// Extents of the largest part.
  let partRows: Int, partColumns: Int
  /// How many parts.
  var count: Int { rowParts * columnParts }

  init(rows: Int, columns: Int, depth: Int, _ sizes: BlockSizes) {
    (self.rows, self.columns) = (rows, columns)
    rowParts = (rows + sizes.linearRows - 1) / sizes.linearRows
    partRows = (rows + rowParts - 1) / rowParts
    // As many parts as balance a few threads, if they do not become too small.
    let affordable = partRows * columns * depth / sizes.smallestTile
    let wanted = max(1, min(sizes.linearParts / rowParts, affordable))
    let extent = (columns + wanted - 1) / wanted
    partColumns = min(columns, (extent + Self.granularity - 1) / Self.granularity * Self.granularity)
    columnParts = (columns + partColumns - 1) / partColumns
  }

  /// The rows and columns of a part; neighbours read the same weights.
  func part(_ index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (column, row) = index.quotientAndRemainder(dividingBy: rowParts)
    return (
      row * rows / rowParts..<(row + 1) * rows / rowParts,
      column * partColumns..<min((column + 1) * partColumns, columns)
    )
  }
}

extension DType {
  /// The kernels' word for it.
  var format: WeightFormat {
    switch self {
    case .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    }
  }
}

extension Activation {
  /// The kernels' word for it; a gated layer says so by another parameter.
  var function: PointwiseFunction {
    switch self {
    case .none, .geglu: .identity
    case .silu: .silu
    case .gelu: .gelu
    case .quickGELU: .quickGELU
    }
  }
}
