/// How stored weights are written.
package enum WeightFormat: Sendable {
  case float32
  case float16
  case bfloat16

  /// Bytes of one element.
  package var byteWidth: Int { self == .float32 ? 4 : 2 }
}

/// A function that is applied to every element of a result.
package enum PointwiseFunction: Sendable {
  case identity
  /// `x · sigmoid(x)`
  case silu
  /// `x · Φ(x)`
  case gelu
  /// `x · sigmoid(1.702 x)`
  case quickGELU
}

/// What follows a product while it is still in the cache: bias, the addend of each picture's channels, function, residual, in
/// this order. As separate passes they would read and write the whole result from memory once each.
@unsafe package struct LinearEpilogue {
  /// `[columns]`, or nil. If the layer is gated, `[2 · columns]`: values, then gates.
  package var bias: UnsafePointer<Float>?
  /// `[pictures, columns]`: added to every row of its picture; nil for none.
  package var channelAddend: UnsafePointer<Float>?
  /// Rows of the result per picture.
  package var rowsPerPicture: Int
  /// Applied to the sum of all that.
  package var function: PointwiseFunction
  /// Same layout as the result, or nil.
  package var residual: UnsafePointer<Float>?

  /// Nothing follows that is not given.
  package init(
    bias: UnsafePointer<Float>? = nil, channelAddend: UnsafePointer<Float>? = nil, rowsPerPicture: Int = 1,
    function: PointwiseFunction = .identity, residual: UnsafePointer<Float>? = nil
  ) {
    unsafe self.bias = bias
    unsafe self.channelAddend = channelAddend
    unsafe self.rowsPerPicture = rowsPerPicture
    unsafe self.function = function
    unsafe self.residual = residual
  }
}

/// A linear layer's call: `target[rows, columns] = epilogue(source[rows, depth] · weightᵀ)`.
@unsafe package struct LinearTask {
  /// The input, row after row without gaps.
  package var source: UnsafePointer<Float>
  /// Features of the input.
  package var depth: Int
  /// `[columns, depth]` in `format`. If gated `[2 · columns, depth]`, values before gates: the result is then
  /// `values · gelu(gates)`, and the epilogue's function is the identity.
  package var weight: UnsafeRawPointer
  /// Of the stored weight.
  package var format: WeightFormat
  /// Features of the result.
  package var columns: Int
  /// Whether half of the weight is gates.
  package var isGated: Bool
  /// The result, row after row without gaps.
  package var target: UnsafeMutablePointer<Float>
  /// What follows the product.
  package var epilogue: LinearEpilogue

  /// All of it.
  package init(
    source: UnsafePointer<Float>, depth: Int, weight: UnsafeRawPointer, format: WeightFormat, columns: Int,
    isGated: Bool, target: UnsafeMutablePointer<Float>, epilogue: LinearEpilogue
  ) {
    unsafe self.source = source
    unsafe self.depth = depth
    unsafe self.weight = weight
    unsafe self.format = format
    unsafe self.columns = columns
    unsafe self.isGated = isGated
    unsafe self.target = target
    unsafe self.epilogue = epilogue
  }
}

/// Linear layers.
package protocol LinearKernels: Sendable {
  /// Floats of working memory that ``linear(_:rows:columns:next:workspace:)`` needs.
  static func linearWorkspace(rows: Int, columns: Int, depth: Int) -> Int

  /// Computes a part of a linear layer's result. Parts may be cut anywhere: an element is the same in all of them.
  ///
  /// - Parameters:
  ///   - next: the columns that this thread will probably compute afterwards: their first weights are asked for from memory in the
  ///     meantime. Nil if unknown.
  ///   - workspace: 64-byte aligned.
  static func linear(
    _ task: LinearTask, rows: Range<Int>, columns: Range<Int>, next: Range<Int>?,
    workspace: UnsafeMutablePointer<Float>)

  /// Floats of working memory that ``roundedLinear(_:rows:columns:workspace:)`` needs.
  static func roundedLinearWorkspace(rows: Int, columns: Int, depth: Int) -> Int

  /// ``linear(_:rows:columns:next:workspace:)`` in integers of 16 bits, of a layer that is not gated. Each stretch of 128 inputs of a row, and of
  /// an output, has a scale by which its Euclidean norm is less than 2¹⁵: then no sum of products exceeds 30 bits, by Cauchy's
  /// inequality. A stretch that is not finite gives NaN.
  static func roundedLinear(
    _ task: LinearTask, rows: Range<Int>, columns: Range<Int>, workspace: UnsafeMutablePointer<Float>)
}
