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
        x.pointer, rows: rows, depth: weights.inFeatures, stored.weight, weights.arithmetic,
        into: result.mutablePointer, columns: width, isGated: isGated, epilogue(stored.bias))
    case let stored as StoredInt8Weights:
      unsafe int8Dense(
        x.pointer, rows: rows, depth: weights.inFeatures, stored.weight, into: result.mutablePointer, columns: width,
        isGated: isGated, epilogue(stored.bias))
    default: preconditionFailure("weights of another device")
    }
    return result
  }

  /// `target[rows, columns] = epilogue(source[rows, depth] · weightᵀ)`, weight `[columns, depth]`, or
  /// `[2 · columns, depth]` when it is gated: values, then gates; then in fp32 always.
  func dense(
    _ source: UnsafePointer<Float>, rows: Int, depth: Int, _ weight: Parameter,
    _ arithmetic: LayerArithmetic, into target: UnsafeMutablePointer<Float>, columns: Int, isGated: Bool,
    _ epilogue: LinearEpilogue
  ) {
    precondition(
      weight.count == (isGated ? 2 : 1) * columns * depth, "\(weight.name): \(weight.shape) does not fit the layer")
    let isRounded = arithmetic == .int16 && !isGated
    let parts = LinearParts(
      rows: rows, columns: columns, depth: depth, largestRows: isRounded ? sizes.roundedRows : sizes.linearRows, sizes)
    let workspace =
      isRounded
      ? kernels.roundedLinearWorkspace(rows: parts.partRows, columns: parts.partColumns, depth: depth)
      : kernels.linearWorkspace(rows: parts.partRows, columns: parts.partColumns, depth: depth)
    unsafe weight.withBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let task = unsafe LinearTask(
        source: source, depth: depth, weight: base, format: weight.dtype.format, columns: columns, isGated: isGated,
        target: target, epilogue: epilogue)
      pool.run(count: parts.count) { index in
        let (rows, columns) = parts.part(index)
        unsafe scratch.withBuffer(workspace) { buffer in
          if isRounded {
            unsafe kernels.roundedLinear(task, rows: rows, columns: columns, workspace: buffer)
          } else {
            // Threads take parts in turns, as long as nothing disturbs them.
            let next = index + pool.threads
            unsafe kernels.linear(
              task, rows: rows, columns: columns, next: next < parts.count ? parts.part(next).columns : nil,
              workspace: buffer)
          }
        }
      }
    }
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
