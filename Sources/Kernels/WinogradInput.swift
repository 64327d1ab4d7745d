internal import CProcessor
package import KernelInterface

/// From pixels to frequencies, one register of channels at a time: the pixels of the block are normalised into scratch once
/// (neighbouring tiles overlap, and each would evaluate SiLU again), then transformed column by column and row by row.
extension VectorKernels {
  package static func winogradInput(
    _ source: WinogradSource, rows: Int, columns: Int, _ layout: WinogradLayout, scratch: UnsafeMutablePointer<Float>,
    into frequencies: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    let (height, width) = (layout.inputExtent(tiles: rows), layout.inputExtent(tiles: columns))
    let vertical = unsafe scratch + height &* width &* lanes
    var channel = 0
    while unsafe channel < source.channels {
      unsafe stage(source, channel: channel, height: height, width: width, into: scratch)
      var row = 0
      while row < rows {
        unsafe transformColumns(scratch + layout.step &* row &* width &* lanes, width: width, into: vertical)
        unsafe transformRows(
          vertical, width: width, tiles: columns, layout, channel: channel,
          into: frequencies + row &* columns &* layout.rowStride)
        row &+= 1
      }
      channel &+= lanes
    }
  }

  /// Copies one register of channels of every pixel of the block, zeros where there is none.
  @inline(__always)
  private static func stage(
    _ source: WinogradSource, channel: Int, height: Int, width: Int, into target: UnsafeMutablePointer<Float>
  ) {
    let available = min(Vector.scalarCount, unsafe source.channels &- channel)
    guard let table = unsafe source.normalization else {
      unsafe stage(source, channel, available, height, width, into: target) { $0 }
      return
    }
    let normalization = unsafe ChannelNormalization(table, channels: source.channels, at: channel)
    if unsafe source.activates {
      unsafe stage(source, channel, available, height, width, into: target) { sigmoidLinearUnit(normalization($0)) }
    } else {
      unsafe stage(source, channel, available, height, width, into: target) { normalization($0) }
    }
  }

  @inline(__always)
  private static func stage(
    _ source: WinogradSource, _ channel: Int, _ available: Int, _ height: Int, _ width: Int,
    into target: UnsafeMutablePointer<Float>, _ function: (Vector) -> Vector
  ) {
    var target = unsafe target
    var row = 0
    while row < height {
      let rowOffset = unsafe source.rowOffsets[row]
      var column = 0
      while column < width {
        let columnOffset = unsafe source.columnOffsets[column]
        var value = Vector.zero
        if rowOffset >= 0 && columnOffset >= 0 {
          let pixel = unsafe source.picture + (rowOffset &+ columnOffset &+ channel)
          // A line of every pixel is a pattern that processors do not foresee.
          unsafe vector_prefetch(pixel + Vector.scalarCount)
          // Lanes beyond the channels are zero, and meet zeros in the table.
          value = unsafe function(pixel.prefix(available))
        }
        unsafe target.store(value, at: 0)
        unsafe target += Vector.scalarCount
        column &+= 1
      }
      row &+= 1
    }
  }

  /// Six rows of pixels to six rows of vertical frequencies.
  @inline(__always)
  private static func transformColumns(
    _ source: UnsafePointer<Float>, width: Int, into target: UnsafeMutablePointer<Float>
  ) {
    let stride = width &* Vector.scalarCount
    var offset = 0
    while offset < stride {
      let x = unsafe source + offset
      let y = unsafe WinogradMatrices.input(
        x.vector(at: 0), x.vector(at: stride), x.vector(at: 2 &* stride), x.vector(at: 3 &* stride),
        x.vector(at: 4 &* stride), x.vector(at: 5 &* stride))
      let out = unsafe target + offset
      unsafe out.store(y.0, at: 0)
      unsafe out.store(y.1, at: stride)
      unsafe out.store(y.2, at: 2 &* stride)
      unsafe out.store(y.3, at: 3 &* stride)
      unsafe out.store(y.4, at: 4 &* stride)
      unsafe out.store(y.5, at: 5 &* stride)
      offset &+= Vector.scalarCount
    }
  }

  /// Six rows of vertical frequencies to the tiles' 36, each into its slot.
  @inline(__always)
  private static func transformRows(
    _ source: UnsafePointer<Float>, width: Int, tiles: Int, _ layout: WinogradLayout, channel: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    let (part, place) = (channel / layout.stretch, channel % layout.stretch)
    var line = 0
    while line < 6 {
      let first = part &* WinogradLayout.frequencies &+ 6 &* line
      let offsets = (
        layout.offset(slot: first) &+ place, layout.offset(slot: first &+ 1) &+ place,
        layout.offset(slot: first &+ 2) &+ place, layout.offset(slot: first &+ 3) &+ place,
        layout.offset(slot: first &+ 4) &+ place, layout.offset(slot: first &+ 5) &+ place
      )
      var tile = 0
      while tile < tiles {
        let x = unsafe source + (line &* width &+ layout.step &* tile) &* lanes
        let y = unsafe WinogradMatrices.input(
          x.vector(at: 0), x.vector(at: lanes), x.vector(at: 2 &* lanes), x.vector(at: 3 &* lanes),
          x.vector(at: 4 &* lanes), x.vector(at: 5 &* lanes))
        let out = unsafe target + tile &* layout.rowStride
        unsafe out.store(y.0, at: offsets.0)
        unsafe out.store(y.1, at: offsets.1)
        unsafe out.store(y.2, at: offsets.2)
        unsafe out.store(y.3, at: offsets.3)
        unsafe out.store(y.4, at: offsets.4)
        unsafe out.store(y.5, at: offsets.5)
        tile &+= 1
      }
      line &+= 1
    }
  }
}
