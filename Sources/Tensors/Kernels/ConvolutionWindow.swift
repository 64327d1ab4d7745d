/// Where a convolution reads: the geometry of one call, worked out once.
///
/// Padding and the resize in front are two tables, one for rows and one for columns: a position of the padded,
/// resized picture → the position in the stored one, or -1 for a zero. So the kernels know neither.
struct ConvolutionWindow {
  /// Taps of the largest kernel that the kernels take: 22×22.
  static let largestKernel = 512

  let kernelHeight: Int
  let kernelWidth: Int
  let outHeight: Int
  let outWidth: Int
  /// Length of the summed index: `kernelHeight · kernelWidth · channels`.
  let depth: Int
  /// Whether this is a 3×3 kernel, padded to keep the size, on a map that is doubled both ways first.
  let isDoubled: Bool
  /// Whether every output pixel is its input pixel, so that no gather is needed.
  let isPointwise: Bool

  let stride: Int
  private let height: Int
  private let width: Int
  private let channels: Int
  private let rowTable: [Int]
  private let columnTable: [Int]

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
    isPointwise =
      kernelHeight == 1 && kernelWidth == 1 && stride == 1 && paddedHeight == height && paddedWidth == width
      && resizedHeight == height && resizedWidth == width
    isDoubled =
      kernelHeight == 3 && kernelWidth == 3 && stride == 1
      && [geometry.top, geometry.left, geometry.bottom, geometry.right].allSatisfy { $0 == 1 }
      && resizedHeight == 2 * height && resizedWidth == 2 * width
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

  /// Lends both tables as offsets, one for each padded row and column.
  func withOffsets(_ body: (_ rows: UnsafePointer<Int>, _ columns: UnsafePointer<Int>) -> Void) {
    unsafe rowOffsets(count: rowTable.count).withUnsafeBufferPointer { rows in
      unsafe columnOffsets(count: columnTable.count).withUnsafeBufferPointer { columns in
        guard let rows = rows.baseAddress, let columns = columns.baseAddress else { return }
        unsafe body(rows, columns)
      }
    }
  }
}
