internal import CProcessor
package import KernelInterface

/// From pixels to frequencies, a run of channels at a time: the pixels of the block are normalised into scratch once
/// (neighbouring tiles overlap, and each would evaluate SiLU again), then transformed column by column and row by row.
extension VectorKernels {
  package static func winogradInput(
    _ source: WinogradSource, rows: Int, columns: Int, _ layout: WinogradLayout, scratch: UnsafeMutablePointer<Float>,
    into frequencies: UnsafeMutablePointer<Float>, firstRow: Int
  ) {
    if layout.isRounded {
      let staging = unsafe scratch + layout.pixelScratch(rows: rows, columns: columns)
      let stride = layout.stagingStride(columns: columns)
      for part in 0..<layout.stretches {
        let channels = unsafe part &* layout.stretch..<min((part &+ 1) &* layout.stretch, source.channels)
        unsafe transform(
          source, channels, rows: rows, columns: columns, layout, scratch: scratch, tileStride: stride.tile
        ) { _ in
          unsafe staging
        } place: { frequency, channel in
          frequency &* stride.frequency &+ channel &- channels.lowerBound
        } finish: { row in
          unsafe roundInput(
            staging, part: part, channels: channels.count, tiles: columns, layout, into: frequencies,
            firstRow: firstRow &+ row &* columns)
        }
      }
    } else {
      var channel = 0
      while unsafe channel < source.channels {
        let (part, place) = channel.quotientAndRemainder(dividingBy: layout.stretch)
        unsafe transform(
          source, channel..<min(channel &+ layout.run, source.channels), rows: rows, columns: columns, layout,
          scratch: scratch, tileStride: layout.rowStride
        ) { row in
          unsafe frequencies + (firstRow &+ row &* columns) &* layout.rowStride
        } place: { frequency, _ in
          layout.offset(slot: part &* WinogradLayout.frequencies &+ frequency) &+ place
        } finish: { _ in
        }
        channel &+= layout.run
      }
    }
  }

  /// Takes a run of channels of a block to frequencies, a row of tiles at a time.
  ///
  /// - Parameters:
  ///   - target: of a row of tiles.
  ///   - place: where a frequency's channel goes in it, of the first tile.
  ///   - finish: called when all of a row of tiles is there.
  @inline(__always)
  private static func transform(
    _ source: WinogradSource, _ channels: Range<Int>, rows: Int, columns: Int, _ layout: WinogradLayout,
    scratch: UnsafeMutablePointer<Float>, tileStride: Int, target: (_ row: Int) -> UnsafeMutablePointer<Float>,
    place: (_ frequency: Int, _ channel: Int) -> Int, finish: (_ row: Int) -> Void
  ) {
    let lanes = Vector.scalarCount
    let (height, width) = (layout.inputExtent(tiles: rows), layout.inputExtent(tiles: columns))
    let pixels = height &* width
    unsafe stage(source, channels, height: height, width: width, into: scratch)
    let vertical = unsafe scratch + pixels &* layout.run
    var row = 0
    while row < rows {
      let target = unsafe target(row)
      var channel = channels.lowerBound
      while channel < channels.upperBound {
        let first = (channel &- channels.lowerBound) &* pixels &+ layout.step &* row &* width &* lanes
        unsafe transformColumns(scratch + first, width: width, into: vertical)
        unsafe transformRows(
          vertical, width: width, tiles: columns, step: layout.step, into: target, tileStride: tileStride
        ) { place($0, channel) }
        channel &+= lanes
      }
      finish(row)
      row &+= 1
    }
  }

  /// Copies a run of channels of every pixel of the block, a register of channels after the other, zeros where there is no pixel.
  @inline(__always)
  private static func stage(
    _ source: WinogradSource, _ channels: Range<Int>, height: Int, width: Int, into target: UnsafeMutablePointer<Float>
  ) {
    guard let table = unsafe source.normalization else {
      unsafe stage(source, channels, height, width, into: target) { _ in { $0 } }
      return
    }
    if unsafe source.activates {
      unsafe stage(source, channels, height, width, into: target) { channel in
        let normalization = unsafe ChannelNormalization(table, channels: source.channels, at: channel)
        return { sigmoidLinearUnit(normalization($0)) }
      }
    } else {
      unsafe stage(source, channels, height, width, into: target) { channel in
        let normalization = unsafe ChannelNormalization(table, channels: source.channels, at: channel)
        return { normalization($0) }
      }
    }
  }

  /// - Parameter function: what a register of channels goes through, by the first of them.
  @inline(__always)
  private static func stage(
    _ source: WinogradSource, _ channels: Range<Int>, _ height: Int, _ width: Int,
    into target: UnsafeMutablePointer<Float>, _ function: (_ channel: Int) -> (Vector) -> Vector
  ) {
    let lanes = Vector.scalarCount
    var row = 0
    while row < height {
      let rowOffset = unsafe source.rowOffsets[row]
      // Memory is asked for ahead: a part of every pixel is a pattern that processors do not foresee. Of many channels that is the
      // next row of pixels; of one register, the next register.
      let nextRow = unsafe row &+ 1 < height ? source.rowOffsets[row &+ 1] : -1
      let distance = channels.count <= lanes ? lanes : max(nextRow, rowOffset) &- rowOffset
      var channel = channels.lowerBound
      while channel < channels.upperBound {
        let available = min(lanes, channels.upperBound &- channel)
        let function = function(channel)
        var target = unsafe target + ((channel &- channels.lowerBound) &* height &+ row &* lanes) &* width
        var column = 0
        while column < width {
          let columnOffset = unsafe source.columnOffsets[column]
          var value = Vector.zero
          if rowOffset >= 0 && columnOffset >= 0 {
            let pixel = unsafe source.picture + (rowOffset &+ columnOffset &+ channel)
            unsafe vector_prefetch(pixel + distance)
            // Lanes beyond the channels are zero, and meet zeros in the table.
            value = unsafe function(pixel.prefix(available))
          }
          unsafe target.store(value, at: 0)
          unsafe target += lanes
          column &+= 1
        }
        channel &+= lanes
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
    _ source: UnsafePointer<Float>, width: Int, tiles: Int, step: Int, into target: UnsafeMutablePointer<Float>,
    tileStride: Int, place: (_ frequency: Int) -> Int
  ) {
    let lanes = Vector.scalarCount
    var line = 0
    while line < 6 {
      let first = 6 &* line
      let offsets = (
        place(first), place(first &+ 1), place(first &+ 2), place(first &+ 3), place(first &+ 4), place(first &+ 5)
      )
      var tile = 0
      while tile < tiles {
        let x = unsafe source + (line &* width &+ step &* tile) &* lanes
        let y = unsafe WinogradMatrices.input(
          x.vector(at: 0), x.vector(at: lanes), x.vector(at: 2 &* lanes), x.vector(at: 3 &* lanes),
          x.vector(at: 4 &* lanes), x.vector(at: 5 &* lanes))
        let out = unsafe target + tile &* tileStride
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
