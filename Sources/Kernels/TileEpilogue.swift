internal import CProcessor
internal import KernelInterface

/// Where a finished tile goes.
@unsafe struct TileTarget {
  /// Of the result.
  let base: UnsafeMutablePointer<Float>
  /// Floats from one row of the result to the next.
  let stride: Int
  /// First row and column of the tile.
  let row: Int, column: Int
  /// Rows, and columns to write: fewer than the tile has at the right edge.
  let rows: Int, columns: Int

  /// Asks for the memory, so that it is there when the sums are.
  @inline(__always)
  func prefetch() {
    var address = unsafe base + (row &* stride &+ column)
    for _ in unsafe 0..<rows {
      unsafe vector_prefetch_for_write(address)
      unsafe vector_prefetch_for_write(address + (columns &- 1))
      unsafe address += stride
    }
  }
}

/// Applies an epilogue to a tile's sums and writes them to the result.
@inline(__always)
func finishTile(_ sums: UnsafePointer<Float>, _ epilogue: LinearEpilogue, _ target: TileTarget) {
  switch unsafe epilogue.function {
  case .identity: unsafe finish(sums, epilogue, target) { $0 }
  case .silu: unsafe finish(sums, epilogue, target, sigmoidLinearUnit)
  case .gelu: unsafe finish(sums, epilogue, target, gaussianErrorLinearUnit)
  case .quickGELU: unsafe finish(sums, epilogue, target, quickGaussianErrorLinearUnit)
  }
}

@inline(__always)
private func finish(
  _ sums: UnsafePointer<Float>, _ epilogue: LinearEpilogue, _ target: TileTarget, _ function: (Vector) -> Vector
) {
  let lanes = Vector.scalarCount
  for half in 0..<2 {
    let columns = unsafe min(target.columns &- half &* lanes, lanes)
    guard columns > 0 else { return }
    let column = unsafe target.column &+ half &* lanes
    let bias = unsafe epilogue.bias.map { unsafe ($0 + column).prefix(columns) } ?? .zero
    for row in unsafe 0..<target.rows {
      let resultRow = unsafe target.row &+ row
      let offset = unsafe resultRow &* target.stride &+ column
      var value = unsafe sums.vector(at: row &* PanelShape.width &+ half &* lanes) + bias
      if let addend = unsafe epilogue.channelAddend {
        let picture = unsafe resultRow / epilogue.rowsPerPicture
        unsafe value += (addend + (picture &* target.stride &+ column)).prefix(columns)
      }
      value = function(value)
      if let residual = unsafe epilogue.residual { unsafe value += (residual + offset).prefix(columns) }
      unsafe (target.base + offset).storePrefix(value, columns)
    }
  }
}

/// The same for a gated layer: the left half of a tile's columns are values, the right half their gates, and
/// `values · gelu(gates)` is written.
@inline(__always)
func finishGatedTile(_ sums: UnsafePointer<Float>, _ epilogue: LinearEpilogue, _ target: TileTarget) {
  let lanes = Vector.scalarCount
  let columns = unsafe min(target.columns, lanes)
  let column = unsafe target.column
  let bias = unsafe epilogue.bias.map { unsafe ($0 + column).prefix(columns) } ?? .zero
  let gateBias = unsafe epilogue.bias.map { unsafe ($0 + (target.stride &+ column)).prefix(columns) } ?? .zero
  for row in unsafe 0..<target.rows {
    let offset = unsafe (target.row &+ row) &* target.stride &+ column
    let value = unsafe sums.vector(at: row &* PanelShape.width) + bias
    let gate = unsafe sums.vector(at: row &* PanelShape.width &+ lanes) + gateBias
    var result = value * gaussianErrorLinearUnit(gate)
    if let residual = unsafe epilogue.residual { unsafe result += (residual + offset).prefix(columns) }
    unsafe (target.base + offset).storePrefix(result, columns)
  }
}
