/// The parts of a 3×3 convolution by Winograd's method (Lavin and Gray 2016) that depend on the instruction set.
///
/// The picture is cut into tiles of 4×4 output pixels, each of which needs 6×6 of the input. Input tiles and kernels are taken to
/// 6×6 = 36 *frequencies*, where the convolution is one product per frequency, summed over the channels: a quarter
/// of the multiplications. Between the transforms there are 36 matrix products, tiles × input channels × outputs.
package protocol WinogradKernels: Sendable {
  /// The layout of blocks of up to `tiles` tiles, `step` pixels apart, of a picture of `inputs` channels, in fp32 or in integers.
  static func winogradLayout(inputs: Int, tiles: Int, step: Int, isRounded: Bool) -> WinogradLayout

  /// Takes a block of input tiles, normalised on the way if the source says so, to row panels of all frequencies.
  ///
  /// Where the layout is rounded, a tile's stretch of a frequency, x, becomes integers `round(x / scale)`, with a scale of which their
  /// Euclidean norm is less than 2¹⁵. That of weights is, too, so by Cauchy's inequality no sum of products exceeds 30 bits,
  /// whatever the order. A stretch that is not finite has a scale that is not.
  ///
  /// - Parameters:
  ///   - scratch: ``WinogradLayout/inputScratch(rows:columns:)`` floats.
  ///   - frequencies: ``WinogradLayout/inputCount`` words, laid out as the layout says; tile (r, c) is row
  ///     `r · columns + c`.
  ///   - firstRow: the row of the first tile, if there are those of other blocks, too.
  static func winogradInput(
    _ source: WinogradSource, rows: Int, columns: Int, _ layout: WinogradLayout, scratch: UnsafeMutablePointer<Float>,
    into frequencies: UnsafeMutablePointer<Float>, firstRow: Int)

  /// Takes some input channels of the kernels of one panel of outputs to column panels of all frequencies; rounded like the inputs,
  /// a stretch of each output and frequency at a time, if the layout says so.
  ///
  /// - Parameters:
  ///   - kernels: `[outputs][inputs][9]` in `format`.
  ///   - outputs: those of the panel; at most its width, and columns beyond them hold numbers that mean nothing.
  ///   - channels: input channels to take; whole stretches, if they are rounded.
  ///   - held: the channels that `weights` has room for.
  ///   - quarter: which kernels of 2×2 to make of them first; nil: none.
  ///   - scratch: ``WinogradLayout/weightScratch(channels:)`` floats.
  ///   - weights: `[frequency][word of the channels held][output of the panel]`, then scales.
  static func winogradWeights(
    _ kernels: UnsafeRawPointer, _ format: WeightFormat, outputs: Range<Int>, channels: Range<Int>,
    held: Range<Int>, quarter: WinogradQuarter?, _ layout: WinogradLayout, scratch: UnsafeMutablePointer<Float>,
    into weights: UnsafeMutablePointer<Float>)

  /// Multiplies tiles with one panel of outputs, at every frequency, over some of the input channels.
  ///
  /// - Parameters:
  ///   - channels: from the second channel on, the products are added to `sums`. Whole stretches, if they are rounded.
  ///   - weights: of these channels, as ``winogradWeights(_:_:outputs:channels:held:quarter:_:scratch:into:)`` wrote them.
  ///   - tiles: how many, from row 0 of `frequencies` on.
  ///   - sums: ``WinogradLayout/sumCount`` floats.
  static func winogradMultiply(
    _ frequencies: UnsafePointer<Float>, channels: Range<Int>, _ weights: UnsafePointer<Float>, tiles: Int,
    _ layout: WinogradLayout, into sums: UnsafeMutablePointer<Float>)

  /// Takes the sums of a block of tiles and one panel of outputs back to pixels and writes them: 4×4 or 5×5 of a tile, as many as
  /// the layout's step. What was written is added up on the way: see ``WinogradMoments``.
  static func winogradOutput(
    _ sums: UnsafePointer<Float>, rows: Int, columns: Int, _ layout: WinogradLayout, into target: WinogradTarget)
}

/// What a block of tiles adds up of the pixels that it writes, for a normalisation that may follow: reading a large map again takes
/// longer. Each is a panel wide, an element an output.
@unsafe package struct WinogradMoments {
  /// A number near the mean: the first pixel's.
  package var shifts: UnsafeMutablePointer<Float>
  /// Sums of deviations from it, and of their squares. Zeros, before.
  package var sums: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>

  package init(
    shifts: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>
  ) {
    unsafe self.shifts = shifts
    unsafe self.sums = sums
    unsafe self.squares = squares
  }
}

/// A quarter of the pixels of a map that was doubled (nearest) before a convolution of 3×3.
///
/// Between two neighbouring pixels of the small map there are two of the large one, and each sees just these two, one of them twice:
/// so its kernel, in one dimension, is `[w0 + w1, w2]` or `[w0, w1 + w2]` on the small map. Both ways that makes four
/// convolutions of 2×2, which are the same sums exactly.
package struct WinogradQuarter: Sendable {
  /// Whether a pixel is the lower of the two, and the right one.
  package let isLower: Bool, isRight: Bool

  package init(isLower: Bool, isRight: Bool) {
    self.isLower = isLower
    self.isRight = isRight
  }
}

/// Where a block of input tiles comes from.
@unsafe package struct WinogradSource {
  /// The picture, `[H, W, channels]`.
  package var picture: UnsafePointer<Float>
  /// Of each row of the block, as many as the layout's extent: the offset of its first element in the picture; -1 for a row of zeros.
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
  /// First row and column that exist: 0, or 1 where the tiles of a quarter begin before the picture.
  package var top: Int, left: Int
  /// Rows, columns and outputs that exist: the last tiles may reach beyond the picture, the last panel beyond the outputs.
  package var height: Int, width: Int, outputs: Int
  /// Added to every pixel; a whole panel's width.
  package var bias: UnsafePointer<Float>
  /// Added to each element, laid out as the target; nil for none.
  package var residual: UnsafePointer<Float>?
  /// Whether the result goes past the caches, in which it would not fit. Only if every pixel is a whole number of cache lines, and
  /// so aligned.
  package var streams: Bool
  /// Of the pixels that exist.
  package var moments: WinogradMoments

  package init(
    base: UnsafeMutablePointer<Float>, rowStride: Int, pixelStride: Int, top: Int, left: Int, height: Int, width: Int,
    outputs: Int,
    bias: UnsafePointer<Float>, residual: UnsafePointer<Float>?, streams: Bool, moments: WinogradMoments
  ) {
    unsafe self.base = base
    unsafe self.rowStride = rowStride
    unsafe self.pixelStride = pixelStride
    unsafe self.top = top
    unsafe self.left = left
    unsafe self.height = height
    unsafe self.width = width
    unsafe self.outputs = outputs
    unsafe self.bias = bias
    unsafe self.residual = residual
    unsafe self.streams = streams
    unsafe self.moments = moments
  }

  /// Pixels that exist of a block of tiles.
  package func pixels(rows: Int, columns: Int, step: Int) -> Int {
    unsafe max(0, min(step * rows, height) - top) * max(0, min(step * columns, width) - left)
  }
}
