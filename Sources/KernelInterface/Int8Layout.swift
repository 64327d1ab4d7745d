/// How the weights of an int8 linear layer lie in memory: one way for all instruction sets, so that one file serves every
/// machine, and read from beginning to end by each of them.
///
/// Outputs form *column blocks* of ``blockColumns``, the summed index *groups* of ``groupDepth``. A column block holds its
/// groups one after the other; a group is ``groupQuads`` lines of 64 bytes; line q has four bytes for each column of the block,
/// those of the summed index q, q + 16, q + 32 and q + 48 of the group. Taken in this order, four registers of inputs become one of bytes by
/// shifts alone. What is missing to whole groups is 0.
///
/// Behind the values lie one scale (fp32) and one sum of the values (int32) for each column.
public enum Int8Layout {
  /// Columns of a block.
  @inlinable public static var blockColumns: Int { 16 }
  /// Steps of the summed index in a group.
  @inlinable public static var groupDepth: Int { 64 }
  /// Lines of a group.
  @inlinable public static var groupQuads: Int { 16 }
  /// Bytes of a line: four for each column of a block.
  @inlinable public static var lineBytes: Int { 64 }
  /// Products of a byte from 0 to 254 and one from -127 to 127 whose sum always fits 32 bits.
  public static let longestDepth = Int(Int32.max) / (254 * 127) / 64 * 64

  /// Groups that `depth` steps take.
  @inlinable public static func groups(_ depth: Int) -> Int { (depth &+ groupDepth &- 1) / groupDepth }

  /// Bytes of a column block.
  @inlinable public static func blockBytes(depth: Int) -> Int { groups(depth) &* groupQuads &* lineBytes }

  /// Byte of a column's part of its block's first line.
  @inlinable public static func columnOffset(_ column: Int, depth: Int) -> Int {
    column / blockColumns &* blockBytes(depth: depth) &+ column % blockColumns &* 4
  }

  /// Byte of one value.
  @inlinable public static func offset(column: Int, step: Int, depth: Int) -> Int {
    let (group, member) = (step / groupDepth, step % groupDepth)
    return columnOffset(column, depth: depth) &+ (group &* groupQuads &+ member % groupQuads) &* lineBytes
      &+ member / groupQuads
  }

  /// Bytes of all values: where the scales begin.
  @inlinable public static func valueBytes(columns: Int, depth: Int) -> Int {
    columns / blockColumns * blockBytes(depth: depth)
  }

  /// Bytes of a layer.
  @inlinable public static func byteCount(columns: Int, depth: Int) -> Int {
    valueBytes(columns: columns, depth: depth) + 8 * columns
  }
}
