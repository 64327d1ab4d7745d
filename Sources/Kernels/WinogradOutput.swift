internal import CProcessor
package import KernelInterface

/// From the sums of every frequency back to pixels, with everything added that follows the convolution.
extension VectorKernels {
  package static func winogradOutput(
    _ sums: UnsafePointer<Float>, rows: Int, columns: Int, _ layout: WinogradLayout, into target: WinogradTarget
  ) {
    guard layout.step == 4 else {
      unsafe winogradQuarterOutput(sums, rows: rows, columns: columns, layout, into: target)
      return
    }
    let lanes = Vector.scalarCount
    unsafe withUnsafeTemporaryAllocation(of: Vector.self, capacity: 40) { vectors in
      guard let scratch = vectors.baseAddress else { return }
      let vertical = unsafe UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Float.self)
      let pixels = unsafe vertical + 24 &* lanes
      var row = 0
      while row < rows {
        var column = 0
        while column < columns {
          let height = min(4, unsafe target.height &- 4 &* row)
          let width = min(4, unsafe target.width &- 4 &* column)
          let start = unsafe 4 &* row &* target.rowStride &+ 4 &* column &* target.pixelStride
          var first = 0
          while first < PanelShape.width {
            let tile = unsafe sums + ((row &* columns &+ column) &* PanelShape.width &+ first)
            unsafe transformColumns(tile, stride: layout.sumStride, into: vertical)
            let outputs = unsafe target.outputs &- first
            var moments = unsafe PixelMoments(target.moments, at: first, isFirst: row == 0 && column == 0)
            if height == 4 && width == 4 && outputs >= lanes {
              unsafe writeTile(vertical, target, at: start &+ first, first, &moments)
            } else if outputs > 0 {
              unsafe writePart(
                vertical, target, at: start &+ first, first, height: height, width: width, outputs: outputs, pixels,
                &moments)
            }
            unsafe moments.add(to: target.moments, at: first)
            first &+= lanes
          }
          column &+= 1
        }
        row &+= 1
      }
      if unsafe target.streams { vector_stream_end() }
    }
  }

  /// Six columns of six frequencies to six columns of four rows; `[row][column]`.
  @inline(__always)
  private static func transformColumns(
    _ sums: UnsafePointer<Float>, stride: Int, into target: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    var column = 0
    while column < 6 {
      let x = unsafe sums + column &* stride
      let y = unsafe WinogradMatrices.output(
        x.vector(at: 0), x.vector(at: 6 &* stride), x.vector(at: 12 &* stride), x.vector(at: 18 &* stride),
        x.vector(at: 24 &* stride), x.vector(at: 30 &* stride))
      let out = unsafe target + column &* lanes
      unsafe out.store(y.0, at: 0)
      unsafe out.store(y.1, at: 6 &* lanes)
      unsafe out.store(y.2, at: 12 &* lanes)
      unsafe out.store(y.3, at: 18 &* lanes)
      column &+= 1
    }
  }

  /// One row of a tile, from one row of `vertical`.
  @inline(__always)
  private static func transformRow(
    _ vertical: UnsafePointer<Float>, _ row: Int
  ) -> (Vector, Vector, Vector, Vector) {
    let lanes = Vector.scalarCount
    let x = unsafe vertical + 6 &* row &* lanes
    return unsafe WinogradMatrices.output(
      x.vector(at: 0), x.vector(at: lanes), x.vector(at: 2 &* lanes), x.vector(at: 3 &* lanes),
      x.vector(at: 4 &* lanes),
      x.vector(at: 5 &* lanes))
  }

  /// A whole tile of one register of outputs.
  @inline(__always)
  private static func writeTile(
    _ vertical: UnsafePointer<Float>, _ target: WinogradTarget, at start: Int, _ first: Int,
    _ moments: inout PixelMoments
  ) {
    let bias = unsafe target.bias.vector(at: first)
    let step = unsafe target.pixelStride
    // A copy of its own stays in registers.
    var sums = moments
    var row = 0
    while row < 4 {
      var y = unsafe transformRow(vertical, row)
      let offset = unsafe start &+ row &* target.rowStride
      y = (y.0 + bias, y.1 + bias, y.2 + bias, y.3 + bias)
      if let residual = unsafe target.residual {
        let added = unsafe residual + offset
        y.0 += unsafe added.vector(at: 0)
        y.1 += unsafe added.vector(at: step)
        y.2 += unsafe added.vector(at: 2 &* step)
        y.3 += unsafe added.vector(at: 3 &* step)
        // Of the next tile, by the time that it is reached.
        unsafe vector_prefetch(added + 4 &* step)
        unsafe vector_prefetch(added + 5 &* step)
        unsafe vector_prefetch(added + 6 &* step)
        unsafe vector_prefetch(added + 7 &* step)
      }
      sums.add(y.0, y.1, y.2, y.3)
      let out = unsafe target.base + offset
      if unsafe target.streams {
        unsafe vector_stream(out, y.0)
        unsafe vector_stream(out + step, y.1)
        unsafe vector_stream(out + 2 &* step, y.2)
        unsafe vector_stream(out + 3 &* step, y.3)
      } else {
        unsafe out.store(y.0, at: 0)
        unsafe out.store(y.1, at: step)
        unsafe out.store(y.2, at: 2 &* step)
        unsafe out.store(y.3, at: 3 &* step)
      }
      row &+= 1
    }
    moments = sums
  }

  /// A tile at the edge, or the last outputs: by way of scratch, so that nothing is written beside the result. The same
  /// operations in the same order as ``writeTile(_:_:at:_:_:)``.
  @inline(__always)
  private static func writePart(
    _ vertical: UnsafePointer<Float>, _ target: WinogradTarget, at start: Int, _ first: Int, height: Int, width: Int,
    outputs: Int, _ pixels: UnsafeMutablePointer<Float>, _ moments: inout PixelMoments
  ) {
    let lanes = Vector.scalarCount
    let bias = unsafe target.bias.vector(at: first)
    let count = min(lanes, outputs)
    var row = 0
    while row < height {
      let y = unsafe transformRow(vertical, row)
      unsafe pixels.store(y.0 + bias, at: 0)
      unsafe pixels.store(y.1 + bias, at: lanes)
      unsafe pixels.store(y.2 + bias, at: 2 &* lanes)
      unsafe pixels.store(y.3 + bias, at: 3 &* lanes)
      unsafe writePixels(pixels, target, at: start &+ row &* target.rowStride, 0..<width, count, &moments)
      row &+= 1
    }
  }

  /// Some pixels of a row of a tile, from scratch: `count` outputs of a register each, with the residual.
  @inline(__always)
  static func writePixels(
    _ pixels: UnsafePointer<Float>, _ target: WinogradTarget, at start: Int, _ columns: Range<Int>, _ count: Int,
    _ moments: inout PixelMoments
  ) {
    var column = columns.lowerBound
    while column < columns.upperBound {
      let offset = unsafe start &+ column &* target.pixelStride
      var value = unsafe pixels.vector(at: column &* Vector.scalarCount)
      if let residual = unsafe target.residual { unsafe value += (residual + offset).prefix(count) }
      moments.add(value)
      if unsafe target.streams && count == Vector.scalarCount {
        unsafe vector_stream(target.base + offset, value)
      } else {
        unsafe (target.base + offset).storePrefix(value, count)
      }
      column &+= 1
    }
  }
}
