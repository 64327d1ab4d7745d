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
}
