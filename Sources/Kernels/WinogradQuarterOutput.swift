internal import CProcessor
internal import KernelInterface

/// From sums to the pixels of a quarter: 5×5 of a tile, each beside pixels of the other quarters.
extension VectorKernels {
  static func winogradQuarterOutput(
    _ sums: UnsafePointer<Float>, rows: Int, columns: Int, _ layout: WinogradLayout, into target: WinogradTarget
  ) {
    let lanes = Vector.scalarCount
    unsafe withUnsafeTemporaryAllocation(of: Vector.self, capacity: 35) { vectors in
      guard let scratch = vectors.baseAddress else { return }
      let vertical = unsafe UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Float.self)
      let pixels = unsafe vertical + 30 &* lanes
      for row in 0..<rows {
        let down = unsafe max(0, target.top &- 5 &* row)..<max(0, min(5, target.height &- 5 &* row))
        for column in 0..<columns {
          let across = unsafe max(0, target.left &- 5 &* column)..<max(0, min(5, target.width &- 5 &* column))
          let start = unsafe 5 &* row &* target.rowStride &+ 5 &* column &* target.pixelStride
          var first = 0
          while first < PanelShape.width {
            let outputs = unsafe target.outputs &- first
            guard outputs > 0 else { break }
            let tile = unsafe sums + ((row &* columns &+ column) &* PanelShape.width &+ first)
            unsafe transformColumns(tile, stride: layout.sumStride, into: vertical)
            var moments = unsafe PixelMoments(target.moments, at: first, isFirst: row == 0 && column == 0)
            unsafe write(
              vertical, target, at: start &+ first, first, down: down, across: across, outputs: outputs, pixels,
              &moments)
            unsafe moments.add(to: target.moments, at: first)
            first &+= lanes
          }
        }
      }
      if unsafe target.streams { vector_stream_end() }
    }
  }

  /// Six columns of six frequencies to six columns of five rows; `[row][column]`.
  @inline(__always)
  private static func transformColumns(
    _ sums: UnsafePointer<Float>, stride: Int, into target: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    var column = 0
    while column < 6 {
      let x = unsafe sums + column &* stride
      let y = unsafe WinogradMatrices.fiveOutputs(
        x.vector(at: 0), x.vector(at: 6 &* stride), x.vector(at: 12 &* stride), x.vector(at: 18 &* stride),
        x.vector(at: 24 &* stride), x.vector(at: 30 &* stride))
      let out = unsafe target + column &* lanes
      unsafe out.store(y.0, at: 0)
      unsafe out.store(y.1, at: 6 &* lanes)
      unsafe out.store(y.2, at: 12 &* lanes)
      unsafe out.store(y.3, at: 18 &* lanes)
      unsafe out.store(y.4, at: 24 &* lanes)
      column &+= 1
    }
  }

  /// A tile of one register of outputs, row by row by way of `pixels`, of which only those within the picture are written.
  @inline(__always)
  private static func write(
    _ vertical: UnsafePointer<Float>, _ target: WinogradTarget, at start: Int, _ first: Int, down: Range<Int>,
    across: Range<Int>, outputs: Int, _ pixels: UnsafeMutablePointer<Float>, _ moments: inout PixelMoments
  ) {
    let lanes = Vector.scalarCount
    let bias = unsafe target.bias.vector(at: first)
    let count = min(lanes, outputs)
    var row = down.lowerBound
    while row < down.upperBound {
      let x = unsafe vertical + 6 &* row &* lanes
      let y = unsafe WinogradMatrices.fiveOutputs(
        x.vector(at: 0), x.vector(at: lanes), x.vector(at: 2 &* lanes), x.vector(at: 3 &* lanes),
        x.vector(at: 4 &* lanes), x.vector(at: 5 &* lanes))
      unsafe pixels.store(y.0 + bias, at: 0)
      unsafe pixels.store(y.1 + bias, at: lanes)
      unsafe pixels.store(y.2 + bias, at: 2 &* lanes)
      unsafe pixels.store(y.3 + bias, at: 3 &* lanes)
      unsafe pixels.store(y.4 + bias, at: 4 &* lanes)
      unsafe writePixels(pixels, target, at: start &+ row &* target.rowStride, across, count, &moments)
      row &+= 1
    }
  }
}
