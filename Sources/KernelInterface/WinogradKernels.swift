/// The parts of a 3×3 convolution by Winograd's method (Lavin and Gray 2016) that depend on the instruction set.
///
/// The picture is cut into tiles of 4×4 output pixels, each of which needs 6×6 of the input. Input tiles and kernels are taken to
/// 6×6 = 36 *frequencies*, where the convolution is one product per frequency, summed over the channels: a quarter
/// of the multiplications. Between the transforms there are 36 matrix products, tiles × input channels × outputs.
package protocol WinogradKernels: Sendable {
  /// The layout of blocks of up to `tiles` tiles of a picture of `inputs` channels.
  static func winogradLayout(inputs: Int, tiles: Int) -> WinogradLayout

  /// Takes a block of input tiles, normalised on the way if the source says so, to row panels of all frequencies.
  ///
  /// - Parameters:
  ///   - scratch: ``WinogradLayout/inputScratch`` floats.
  ///   - frequencies: ``WinogradLayout/inputCount`` floats, laid out as the layout says; tile (r, c) is row
  ///     `r · columns + c`.
  static func winogradInput(
    _ source: WinogradSource, rows: Int, columns: Int, _ layout: WinogradLayout, scratch: UnsafeMutablePointer<Float>,
    into frequencies: UnsafeMutablePointer<Float>)

  /// Takes some input channels of the kernels of one panel of outputs to column panels of all frequencies.
  ///
  /// - Parameters:
  ///   - kernels: one output after the other, ``WinogradLayout/panelWidth`` of them, `stride` floats from one to the next;
  ///     in each, `inputs` times nine floats. Readable up to a whole number of registers.
  ///   - scratch: as many floats as all the kernels take, a whole number of registers for each output.
  ///   - frequencyStride: floats from one frequency's column panel to the next.
  static func winogradWeights(
    _ kernels: UnsafePointer<Float>, stride: Int, inputs: Int, scratch: UnsafeMutablePointer<Float>,
    into weights: UnsafeMutablePointer<Float>, frequencyStride: Int)

  /// Multiplies a block of tiles with one panel of outputs, at every frequency.
  ///
  /// - Parameters:
  ///   - tiles: rows of the block.
  ///   - sums: ``WinogradLayout/sumCount`` floats.
  static func winogradMultiply(
    _ frequencies: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, tiles: Int, _ layout: WinogradLayout,
    into sums: UnsafeMutablePointer<Float>)

  /// Takes the sums of a block of tiles and one panel of outputs back to pixels and writes them.
  static func winogradOutput(
    _ sums: UnsafePointer<Float>, rows: Int, columns: Int, _ layout: WinogradLayout, into target: WinogradTarget)
}

/// Where a block of input tiles comes from.
@unsafe package struct WinogradSource {
  /// The picture, `[H, W, channels]`.
  package var picture: UnsafePointer<Float>
  /// Of each row of the block, 4 · tile rows + 2: the offset of its first element in the picture; -1 for a row of zeros.
  package var rowOffsets: UnsafePointer<Int>
  /// Of each column of the block: the offset in a row; -1 for zeros.
  package var columnOffsets: UnsafePointer<Int>
  /// Channels of the picture.
  package var channels: Int
  /// `[4][channels, rounded up to registers]`: a pixel is first taken to `(x - row 0 - row 1) · row 2 + row 3`. Nil: taken as it is.
  package var normalization: UnsafePointer<Float>?
  /// Whether SiLU follows the normalisation.
  package var activates: Bool

  package init(
    picture: UnsafePointer<Float>, rowOffsets: UnsafePointer<Int>, columnOffsets: UnsafePointer<Int>, channels: Int,
    normalization: UnsafePointer<Float>?, activates: Bool
  ) {
    unsafe self.picture = picture
    unsafe self.rowOffsets = rowOffsets
    unsafe self.columnOffsets = columnOffsets
    unsafe self.channels = channels
    unsafe self.normalization = normalization
    unsafe self.activates = activates
  }
}

/// Where the pixels of a block of tiles go.
@unsafe package struct WinogradTarget {
  /// The block's first pixel, at the panel's first output.
  package var base: UnsafeMutablePointer<Float>
  /// Floats from one row of pixels to the next, and from one pixel to the next.
  package var rowStride: Int, pixelStride: Int
  /// Rows, columns and outputs that exist: the last tiles may reach beyond the picture, the last panel beyond the outputs.
  package var height: Int, width: Int, outputs: Int
  /// Added to every pixel; a whole panel's width.
  package var bias: UnsafePointer<Float>
  /// Added to each element, laid out as the target; nil for none.
  package var residual: UnsafePointer<Float>?

  package init(
    base: UnsafeMutablePointer<Float>, rowStride: Int, pixelStride: Int, height: Int, width: Int, outputs: Int,
    bias: UnsafePointer<Float>, residual: UnsafePointer<Float>?
  ) {
    unsafe self.base = base
    unsafe self.rowStride = rowStride
    unsafe self.pixelStride = pixelStride
    unsafe self.height = height
    unsafe self.width = width
    unsafe self.outputs = outputs
    unsafe self.bias = bias
    unsafe self.residual = residual
  }
}
