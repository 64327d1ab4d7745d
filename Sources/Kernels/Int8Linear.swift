internal import CProcessor
package import KernelInterface

/// `x · Wᵀ` in bytes. Weights are read where they lie, in their order; inputs have been rounded before.
extension VectorKernels {
  package static func int8Linear(
    _ task: Int8LinearTask, blocks: Range<Int>, columns: Range<Int>, workspace: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    let groups = unsafe Int8Layout.groups(task.depth)
    let panelColumns = unsafe task.isGated ? lanes : 2 &* lanes
    let sums = unsafe UnsafeMutableRawPointer(workspace).assumingMemoryBound(to: Int32.self)
    var column = columns.lowerBound
    while column < columns.upperBound {
      let (leftColumn, rightColumn) = unsafe (column, column &+ (task.isGated ? task.columns : lanes))
      let left = unsafe task.weight + Int8Layout.columnOffset(leftColumn, depth: task.depth)
      let right = unsafe task.weight + Int8Layout.columnOffset(rightColumn, depth: task.depth)
      let next = column &+ panelColumns
      var ahead = unsafe nextWeights(
        task, next < columns.upperBound ? next : leftColumn, blocks: blocks.count)
      for index in blocks {
        let block = unsafe Int8RowBlock(task, block: index)
        let rows = unsafe block.rows
        let target = unsafe TileTarget(
          base: task.target, stride: task.columns, row: rows.lowerBound, column: column, rows: rows.count,
          columns: panelColumns)
        unsafe target.prefetch()
        unsafe multiplyTile(
          PlainOutput<ByteArithmetic>(sums: sums, isContinued: false), rows: rows.count,
          steps: groups &* Int8Layout.groupQuads, block.lines, left: left, right: right, ahead: ahead)
        unsafe ahead.advance()
        unsafe scale(sums, into: workspace, block, task, leftColumn, rightColumn)
        if unsafe task.isGated {
          unsafe finishGatedTile(workspace, task.epilogue, target)
        } else {
          unsafe finishTile(workspace, task.epilogue, target)
        }
      }
      column = next
    }
  }

  /// What the first tile of a panel asks for: the next panel's weights, shared among the panel's tiles.
  @inline(__always)
  private static func nextWeights(_ task: Int8LinearTask, _ column: Int, blocks: Int) -> ReadAhead {
    let lanes = Vector.scalarCount
    // The lines of a group, for each of two columns; a narrower register uses a part of each line, and the other parts soon.
    let share = (Int8Layout.groupQuads &+ blocks &- 1) / blocks
    func rows(_ column: Int) -> ReadAhead.Rows {
      unsafe ReadAhead.Rows(
        base: task.weight + Int8Layout.columnOffset(column, depth: task.depth), count: share,
        stride: Int8Layout.lineBytes, byteWidth: Int8Layout.lineBytes)
    }
    return unsafe ReadAhead(
      weights: rows(column), inputs: rows(column &+ (task.isGated ? task.columns : lanes)))
  }

  /// Turns a tile's integers into the products that they stand for, in place.
  @inline(__always)
  private static func scale(
    _ sums: UnsafePointer<Int32>, into products: UnsafeMutablePointer<Float>, _ block: Int8RowBlock,
    _ task: Int8LinearTask, _ left: Int, _ right: Int
  ) {
    let lanes = Vector.scalarCount
    let columns = unsafe task.isGated ? 2 &* task.columns : task.columns
    let scales = unsafe (task.weight + columns / Int8Layout.blockColumns &* Int8Layout.blockBytes(depth: task.depth))
      .assumingMemoryBound(to: Float.self)
    let columnSums = unsafe UnsafeRawPointer(scales + columns)
    for half in 0..<2 {
      let column = half == 0 ? left : right
      let columnScale = unsafe scales.vector(at: column)
      let columnSum = unsafe (columnSums + column &* 4).loadUnaligned(as: IntegerVector.self)
      for row in unsafe 0..<block.rows.count {
        let place = row &* PanelShape.width &+ half &* lanes
        let sum = unsafe UnsafeRawPointer(sums + place).loadUnaligned(as: IntegerVector.self)
        let zero = unsafe IntegerVector(repeating: block.zeros[row])
        let product = vector_from_integers(sum &- zero &* columnSum)
        unsafe products.store(product * (columnScale * block.scales[row]), at: place)
      }
    }
  }
}
