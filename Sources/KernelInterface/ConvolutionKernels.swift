/// A convolution as one product: rows are pixels of the result, the summed index runs over the taps of the kernel and the input
/// channels. Of the matrix of all pixels' inputs (im2col) only what one tile multiplies exists at a time.
@unsafe package struct ConvolutionTask {
  /// The first picture, `[H, W, channels]`.
  package var source: UnsafePointer<Float>
  /// Floats of a picture.
  package var pictureStride: Int
  /// Of each row of the padded picture: the offset of its first element in the picture; -1 for a row of zeros.
  package var rowOffsets: UnsafePointer<Int>
  /// Of each column of the padded picture: the offset in a row; -1 for zeros.
  package var columnOffsets: UnsafePointer<Int>
  /// Input channels.
  package var channels: Int
  /// Extent of the kernel; at most 512 taps in all, so that a stretch of the summed index can have all taps of a channel.
  package var kernelHeight: Int, kernelWidth: Int
  /// Padded pixels from one pixel of the result to the next, both ways.
  package var stride: Int
  /// Extent of the result.
  package var outHeight: Int, outWidth: Int
  /// `[outputs, channels, kernelHeight, kernelWidth]` in `format`.
  package var weight: UnsafeRawPointer
  /// Of the stored weight.
  package var format: WeightFormat
  /// Channels of the result.
  package var outputs: Int
  /// The result, row after row without gaps: a row a pixel, over all pictures.
  package var target: UnsafeMutablePointer<Float>
  /// What follows the sum.
  package var epilogue: LinearEpilogue

  package init(
    source: UnsafePointer<Float>, pictureStride: Int, rowOffsets: UnsafePointer<Int>,
    columnOffsets: UnsafePointer<Int>, channels: Int, kernelHeight: Int, kernelWidth: Int, stride: Int, outHeight: Int,
    outWidth: Int, weight: UnsafeRawPointer, format: WeightFormat, outputs: Int, target: UnsafeMutablePointer<Float>,
    epilogue: LinearEpilogue
  ) {
    unsafe self.source = source
    unsafe self.pictureStride = pictureStride
    unsafe self.rowOffsets = rowOffsets
    unsafe self.columnOffsets = columnOffsets
    unsafe self.channels = channels
    unsafe self.kernelHeight = kernelHeight
    unsafe self.kernelWidth = kernelWidth
    unsafe self.stride = stride
    unsafe self.outHeight = outHeight
    unsafe self.outWidth = outWidth
    unsafe self.weight = weight
    unsafe self.format = format
    unsafe self.outputs = outputs
    unsafe self.target = target
    unsafe self.epilogue = epilogue
  }
}

/// Convolutions of any kernel, stride and padding.
package protocol ConvolutionKernels: Sendable {
  /// Floats of working memory that ``convolution(_:rows:outputs:workspace:)`` needs.
  static func convolutionWorkspace(_ task: ConvolutionTask, rows: Int, outputs: Int) -> Int

  /// Computes a part of the result: some pixels, counted over all pictures, and some channels. Parts may be cut anywhere: an
  /// element is the same in all of them.
  ///
  /// - Parameter workspace: 64-byte aligned.
  static func convolution(
    _ task: ConvolutionTask, rows: Range<Int>, outputs: Range<Int>, workspace: UnsafeMutablePointer<Float>)
}
