/// What follows a product while its tile is still in the cache: bias, the addend of each picture's channels,
/// activation, residual, in this order.
///
/// As separate passes they would read and write the whole result from memory once each, at a tenth of the speed.
@unsafe struct Epilogue {
  /// `[columns]`, or nil. With `.geglu`, `[2 · columns]`: values, then gates.
  var bias: UnsafePointer<Float>?
  /// `[pictures, columns]`: added to every row of its picture; nil for none.
  var channelAddend: UnsafePointer<Float>?
  /// Rows of the result per picture.
  var rowsPerPicture = 1
  var activation = Activation.none
  /// Same layout as the result, or nil.
  var residual: UnsafePointer<Float>?

  /// Finishes a tile of the result, whose row stride is `stride` and whose first element is `base`.
  func apply(
    to base: UnsafeMutablePointer<Float>, stride: Int, rows: Range<Int>, columns: Range<Int>
  ) {
    let (first, width) = (columns.lowerBound, columns.count)
    for row in rows {
      let target = unsafe base + row * stride + first
      if let bias = unsafe bias { unsafe mapLanes(width, target, bias + first, into: target) { $0 + $1 } }
      if let addend = unsafe channelAddend {
        unsafe mapLanes(width, target, addend + row / rowsPerPicture * stride + first, into: target) { $0 + $1 }
      }
      unsafe applyActivation(width, target, into: target, activation)
      if let residual = unsafe residual {
        unsafe mapLanes(width, target, residual + row * stride + first, into: target) { $0 + $1 }
      }
    }
  }

  /// Finishes a tile of a gated layer: `values` and `gates` are its two products, `[rows, columns]` each.
  func applyGated(
    values: UnsafePointer<Float>, gates: UnsafePointer<Float>, to base: UnsafeMutablePointer<Float>, stride: Int,
    rows: Range<Int>, columns: Range<Int>
  ) {
    let (first, width) = (columns.lowerBound, columns.count)
    for (tileRow, row) in rows.enumerated() {
      let target = unsafe base + row * stride + first
      let (value, gate) = unsafe (values + tileRow * width, gates + tileRow * width)
      if let bias = unsafe bias {
        unsafe mapLanes(width, gate, bias + stride + first, into: target) { gaussianErrorLinearUnit($0 + $1) }
        var index = 0
        while index < width {
          // The bias of the values is a third operand: eight at a time where there are eight.
          let lanes = min(8, width - index)
          if lanes == 8 {
            unsafe target.store(
              (value.lanes(at: index) + (bias + first).lanes(at: index)) * target.lanes(at: index), at: index)
          } else {
            for tail in index..<width { unsafe target[tail] = (value[tail] + bias[first + tail]) * target[tail] }
          }
          index += lanes
        }
      } else {
        unsafe mapLanes(width, value, gate, into: target) { $0 * gaussianErrorLinearUnit($1) }
      }
      if let residual = unsafe residual {
        unsafe mapLanes(width, target, residual + row * stride + first, into: target) { $0 + $1 }
      }
    }
  }
}
