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
}
