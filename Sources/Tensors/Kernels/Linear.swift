/// `x · Wᵀ` over weights that stay in the type of their file.
///
/// An fp32 copy of a full-size model would be 14 GB. Instead a panel of output features is expanded to fp32 (by
/// all threads, into a buffer that is used again for the next), multiplied with all of x while it is in the
/// cache, and forgotten. Each expanded weight is used once per row of x, so from some hundred rows on the
/// expansion is lost in the product's time. fp32 weights are multiplied where they lie.

/// A layer as `CPUDevice` holds it: the stored weight and its expanded bias.
struct StoredWeights: Sendable {
  let weight: Parameter
  let bias: Tensor?
}

extension CPUDevice {
  func linearKernel(_ x: Tensor, _ weights: LinearWeights, _ activation: Activation, _ residual: Tensor?) -> Tensor {
    guard let stored = weights.packed as? StoredWeights else { preconditionFailure("weights of another device") }
    precondition(
      x.shape.last == weights.inFeatures, "linear: x is \(x.shape), the layer takes \(weights.inFeatures) features")
    let isGated = activation == .geglu
    precondition(!isGated || weights.outFeatures.isMultiple(of: 2), "geglu needs an even number of features")
    let width = isGated ? weights.outFeatures / 2 : weights.outFeatures
    let result = Tensor(uninitialized: Array(x.shape.dropLast()) + [width])
    precondition(residual == nil || residual?.shape == result.shape, "linear: the residual is not \(result.shape)")
    let epilogue = unsafe Epilogue(
      bias: stored.bias?.pointer, activation: activation, residual: residual?.pointer)
    unsafe dense(
      x.pointer, rows: x.count / weights.inFeatures, depth: weights.inFeatures, stored.weight,
      into: result.mutablePointer, columns: width, epilogue)
    return result
  }

  /// `target[rows, columns] = epilogue(source[rows, depth] · weightᵀ)`, weight `[columns, depth]`, or
  /// `[2 · columns, depth]` when the activation is `.geglu`.
  func dense(
    _ source: UnsafePointer<Float>, rows: Int, depth: Int, _ weight: Parameter,
    into target: UnsafeMutablePointer<Float>, columns: Int, _ epilogue: Epilogue
  ) {
    let isGated = unsafe epilogue.activation == .geglu
    let bands = isGated ? 2 : 1  // Weight rows per column of the result: value and gate.
    precondition(weight.count == bands * columns * depth, "\(weight.name): \(weight.shape) does not fit the layer")
    if weight.dtype == .float32 {
      unsafe weight.withBytes { bytes in
        guard let base = unsafe bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
        unsafe multiplyPanel(
          source, rows: rows, depth: depth, values: base, gates: isGated ? base + columns * depth : nil,
          into: target, columns: 0..<columns, stride: columns, epilogue)
      }
      return
    }
    let panelColumns = min(columns, max(16, sizes.linearPanel / (bands * depth) / 16 * 16))
    unsafe scratch.withBuffer(panelColumns * bands * depth) { panel in
      for first in stride(from: 0, to: columns, by: panelColumns) {
        let part = first..<min(first + panelColumns, columns)
        for band in 0..<bands {
          let start = (band * columns + first) * depth
          let destination = unsafe panel + band * part.count * depth
          forEachRun(of: part.count * depth) { run in
            unsafe expand(
              weight, from: start + run.lowerBound, count: run.count, into: destination + run.lowerBound)
          }
        }
        unsafe multiplyPanel(
          source, rows: rows, depth: depth, values: panel, gates: isGated ? panel + part.count * depth : nil,
          into: target, columns: part, stride: columns, epilogue)
      }
    }
  }

  /// One panel: the columns `columns` of a result whose rows are `stride` long. `values` (and `gates`) hold the
  /// weights of these columns, `depth` floats each.
  private func multiplyPanel(
    _ source: UnsafePointer<Float>, rows: Int, depth: Int, values: UnsafePointer<Float>, gates: UnsafePointer<Float>?,
    into target: UnsafeMutablePointer<Float>, columns: Range<Int>, stride: Int, _ epilogue: Epilogue
  ) {
    let grid = TileGrid(rows: rows, columns: columns.count, depth: depth, sizes)
    pool.run(count: grid.count) { index in
      let tile = grid.tile(index)
      let tileColumns = columns.lowerBound + tile.columns.lowerBound..<columns.lowerBound + tile.columns.upperBound
      let (height, width) = (tile.rows.count, tile.columns.count)
      let a = unsafe MatrixView(base: source + tile.rows.lowerBound * depth, stride: depth)
      let weights = unsafe MatrixView(base: values + tile.columns.lowerBound * depth, stride: depth)
      guard let gates = unsafe gates else {
        let c = unsafe target + tile.rows.lowerBound * stride + tileColumns.lowerBound
        unsafe multiplyTransposed(rows: height, columns: width, depth: depth, a, weights, into: c, stride: stride)
        unsafe epilogue.apply(to: target, stride: stride, rows: tile.rows, columns: tileColumns)
        return
      }
      let gateWeights = unsafe MatrixView(base: gates + tile.columns.lowerBound * depth, stride: depth)
      unsafe scratch.withBuffer(2 * height * width) { products in
        let gate = unsafe products + height * width
        unsafe multiplyTransposed(rows: height, columns: width, depth: depth, a, weights, into: products, stride: width)
        unsafe multiplyTransposed(rows: height, columns: width, depth: depth, a, gateWeights, into: gate, stride: width)
        unsafe epilogue.applyGated(
          values: products, gates: gate, to: target, stride: stride, rows: tile.rows, columns: tileColumns)
      }
    }
  }
}
