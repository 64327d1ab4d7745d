/// Where a convolution reads: the geometry of one call, worked out once.
///
/// Padding and the resize in front are two tables, one for rows and one for columns: a position of the padded,
/// resized picture → the position in the stored one, or -1 for a zero. So the gather below knows neither.
struct ConvolutionWindow {
  let kernelHeight: Int
  let kernelWidth: Int
  let outHeight: Int
  let outWidth: Int
  /// Length of the summed index: `kernelHeight · kernelWidth · channels`.
  let depth: Int
  /// Whether every output pixel is its input pixel, so that no gather is needed.
  let isPointwise: Bool

  let stride: Int
  private let height: Int
  private let width: Int
  private let channels: Int
  private let rowTable: [Int]
  private let columnTable: [Int]
  /// Whether neighbouring columns of the window are neighbours in memory wherever none is padding.
  private let isContiguous: Bool

  /// - Parameter shape: of the input, `[N, H, W, C]`.
  init(_ shape: [Int], kernelHeight: Int, kernelWidth: Int, _ geometry: Conv2DGeometry) {
    (height, width, channels) = (shape[1], shape[2], shape[3])
    let resizedHeight = geometry.resizedHeight ?? height
    let resizedWidth = geometry.resizedWidth ?? width
    let paddedHeight = resizedHeight + geometry.top + geometry.bottom
    let paddedWidth = resizedWidth + geometry.left + geometry.right
    precondition(geometry.stride > 0 && resizedHeight > 0 && resizedWidth > 0, "conv2D: \(geometry) is empty")
    precondition(min(geometry.top, geometry.left, geometry.bottom, geometry.right) >= 0, "conv2D: negative padding")
    precondition(
      paddedHeight >= kernelHeight && paddedWidth >= kernelWidth,
      "conv2D: a \(paddedHeight) × \(paddedWidth) picture is smaller than the kernel")
    stride = geometry.stride
    self.kernelHeight = kernelHeight
    self.kernelWidth = kernelWidth
    depth = kernelHeight * kernelWidth * channels
    outHeight = (paddedHeight - kernelHeight) / stride + 1
    outWidth = (paddedWidth - kernelWidth) / stride + 1
    isContiguous = resizedWidth == width
    isPointwise =
      kernelHeight == 1 && kernelWidth == 1 && stride == 1 && paddedHeight == height && paddedWidth == width
      && resizedHeight == height && resizedWidth == width
    func table(_ padded: Int, before: Int, source: Int, resized: Int) -> [Int] {
      (0..<padded).map { position in
        let inner = position - before
        return 0 <= inner && inner < resized ? nearestSource(inner, from: source, to: resized) : -1
      }
    }
    rowTable = table(paddedHeight, before: geometry.top, source: height, resized: resizedHeight)
    columnTable = table(paddedWidth, before: geometry.left, source: width, resized: resizedWidth)
  }

  /// Where each of `count` padded rows begins in a picture, in elements; -1 for zeros, also beyond the padding.
  func rowOffsets(count: Int) -> [Int] { Self.offsets(rowTable, count: count, step: width * channels) }

  /// Where each of `count` padded columns begins in a row.
  func columnOffsets(count: Int) -> [Int] { Self.offsets(columnTable, count: count, step: channels) }

  private static func offsets(_ table: [Int], count: Int, step: Int) -> [Int] {
    (0..<count).map { $0 < table.count && table[$0] >= 0 ? table[$0] * step : -1 }
  }

  /// The im2col rows of some output pixels (counted over the whole batch), for some rows of the kernel:
  /// `band[pixel][kernel row][kernel column][channel]`.
  func gather(
    _ source: UnsafePointer<Float>, outputRows: Range<Int>, kernelRows: Range<Int>,
    into band: UnsafeMutablePointer<Float>
  ) {
    let runLength = kernelWidth * channels
    var target = unsafe band
    for pixel in outputRows {
      let (line, column) = pixel.quotientAndRemainder(dividingBy: outWidth)
      let (picture, row) = line.quotientAndRemainder(dividingBy: outHeight)
      let left = column * stride
      let isInside = isContiguous && columnTable[left] >= 0 && columnTable[left + kernelWidth - 1] >= 0
      for kernelRow in kernelRows {
        let y = rowTable[row * stride + kernelRow]
        if y < 0 {
          unsafe target.update(repeating: 0, count: runLength)
        } else {
          let from = unsafe source + (picture * height + y) * width * channels
          if isInside {
            unsafe target.update(from: from + columnTable[left] * channels, count: runLength)
          } else {
            for kernelColumn in 0..<kernelWidth {
              let x = columnTable[left + kernelColumn]
              let to = unsafe target + kernelColumn * channels
              if x < 0 {
                unsafe to.update(repeating: 0, count: channels)
              } else {
                unsafe to.update(from: from + x * channels, count: channels)
              }
            }
          }
        }
        unsafe target += runLength
      }
    }
  }
}
