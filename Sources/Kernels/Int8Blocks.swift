internal import CProcessor
internal import KernelInterface

/// One register of 32-bit integers, as many as ``Vector`` has floats.
typealias IntegerVector = int_vector

/// The shapes in which byte products take their inputs.
enum Int8Shape {
  /// Rows of the tallest tile.
  @inline(__always) static var rows: Int { Int(BYTE_TILE_ROWS) }
  /// Rows that a row block has room for: inputs are transposed by squares.
  @inline(__always) static var slots: Int { Vector.scalarCount }
  /// Words of a row in a line.
  @inline(__always) static var words: Int { Int(BYTE_INPUT_WORDS) }
  /// Words of a line: four inputs of each row, taken apart as the instructions need it.
  @inline(__always) static var lineWords: Int { slots &* words }

  @inline(__always) static func blocks(_ rows: Int) -> Int { (rows &+ Self.rows &- 1) / Self.rows }
}

/// The rounded inputs of one row block: lines like those of ``Int8Layout``, a word for each row in place of columns, and what is
/// needed to round a row and to undo it.
@unsafe struct Int8RowBlock {
  let lines: UnsafeMutablePointer<Int32>
  /// What a step of each row's bytes is worth.
  let scales: UnsafeMutablePointer<Float>
  /// What is multiplied with to round.
  let inverses: UnsafeMutablePointer<Float>
  /// The byte that stands for 0.
  let zeros: UnsafeMutablePointer<Int32>
  /// Rows of the input.
  let rows: Range<Int>

  @inline(__always)
  init(_ task: Int8LinearTask, block: Int) {
    let lineWords = unsafe Int8Layout.groups(task.depth) &* Int8Layout.groupQuads &* Int8Shape.lineWords
    let bytes = unsafe Self.byteCount(depth: task.depth)
    unsafe lines = (task.rounded + block &* bytes).assumingMemoryBound(to: Int32.self)
    unsafe zeros = lines + lineWords
    unsafe scales = UnsafeMutableRawPointer(zeros + Int8Shape.slots).assumingMemoryBound(to: Float.self)
    unsafe inverses = scales + Int8Shape.slots
    let blocks = unsafe Int8Shape.blocks(task.rows)
    unsafe rows = block &* task.rows / blocks..<(block &+ 1) &* task.rows / blocks
  }

  /// Of a block, a whole number of cache lines.
  @inline(__always)
  static func byteCount(depth: Int) -> Int {
    let words =
      Int8Layout.groups(depth) &* Int8Layout.groupQuads &* Int8Shape.lineWords &+ 3 &* Int8Shape.slots
    return (words &* 4 &+ 63) / 64 &* 64
  }
}

extension VectorKernels {
  package static func int8Blocks(rows: Int) -> Int { Int8Shape.blocks(rows) }

  package static func int8RoundedBytes(rows: Int, depth: Int) -> Int {
    unsafe Int8Shape.blocks(rows) * Int8RowBlock.byteCount(depth: depth)
  }

  package static var int8Workspace: Int { Int8Shape.rows * PanelShape.width }
}
