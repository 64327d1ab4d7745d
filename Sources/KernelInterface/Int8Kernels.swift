/// A linear layer's call on int8 weights: `target[rows, columns] = epilogue(source[rows, depth] · weightᵀ)`, each row of the
/// source rounded to bytes on its own.
@unsafe package struct Int8LinearTask {
  /// The input, row after row without gaps.
  package var source: UnsafePointer<Float>
  /// Rows of input and result.
  package var rows: Int
  /// Features of the input.
  package var depth: Int
  /// The rounded input, written by ``Int8Kernels/int8Round(_:blocks:)``; 64-byte aligned.
  package var rounded: UnsafeMutableRawPointer
  /// As ``Int8Layout`` says, of `columns` or, if gated, `2 · columns` columns, values before gates.
  package var weight: UnsafeRawPointer
  /// Features of the result: a multiple of 32, or of 16 if gated.
  package var columns: Int
  /// Whether half of the weight is gates, as in ``LinearTask``.
  package var isGated: Bool
  /// The result, row after row without gaps.
  package var target: UnsafeMutablePointer<Float>
  /// What follows the product.
  package var epilogue: LinearEpilogue

  /// All of it.
  package init(
    source: UnsafePointer<Float>, rows: Int, depth: Int, rounded: UnsafeMutableRawPointer, weight: UnsafeRawPointer,
    columns: Int, isGated: Bool, target: UnsafeMutablePointer<Float>, epilogue: LinearEpilogue
  ) {
    unsafe self.source = source
    unsafe self.rows = rows
    unsafe self.depth = depth
    unsafe self.rounded = rounded
    unsafe self.weight = weight
    unsafe self.columns = columns
    unsafe self.isGated = isGated
    unsafe self.target = target
    unsafe self.epilogue = epilogue
  }
}

/// Linear layers in int8. Every instruction set computes the same integers.
///
/// A row x becomes bytes q = round(x / scale) + zero from 0 to 254, where scale = (max(x, 0) - min(x, 0)) / 254, so that 0 is
/// exact. The sum of q · w, less zero times the sum of w, times both scales, is the product. A row with a number
/// that is not finite gives NaN.
package protocol Int8Kernels: Sendable {
  /// Row blocks, the units of ``int8Round(_:blocks:)`` and ``int8Linear(_:blocks:columns:workspace:)``.
  static func int8Blocks(rows: Int) -> Int

  /// Bytes that the rounded input of all row blocks takes.
  static func int8RoundedBytes(rows: Int, depth: Int) -> Int

  /// Rounds some row blocks of the input.
  static func int8Round(_ task: Int8LinearTask, blocks: Range<Int>)

  /// Floats of working memory that ``int8Linear(_:blocks:columns:workspace:)`` needs.
  static var int8Workspace: Int { get }

  /// Computes a part of the result, from blocks that have been rounded.
  ///
  /// - Parameters:
  ///   - columns: of the result, cut at multiples of 32.
  ///   - workspace: 64-byte aligned.
  static func int8Linear(
    _ task: Int8LinearTask, blocks: Range<Int>, columns: Range<Int>, workspace: UnsafeMutablePointer<Float>)
}
