internal import CProcessor
package import KernelInterface

extension VectorKernels {
  package static func winogradLayout(inputs: Int, tiles: Int, step: Int, isRounded: Bool) -> WinogradLayout {
    WinogradLayout(
      inputs: inputs, tiles: tiles, step: step, isRounded: isRounded, lanes: Vector.scalarCount,
      panelWidth: PanelShape.width, depth: isRounded ? PanelShape.pairs : PanelShape.depth,
      rowStride: isRounded ? PanelShape.pairs : PanelShape.rowStride)
  }

  package static func winogradMultiply(
    _ frequencies: UnsafePointer<Float>, channels: Range<Int>, _ weights: UnsafePointer<Float>, tiles: Int,
    _ layout: WinogradLayout, into sums: UnsafeMutablePointer<Float>
  ) {
    let stride = layout.weightStride(channels: channels.count)
    var frequency = 0
    while frequency < WinogradLayout.frequencies {
      var channel = channels.lowerBound
      while channel < channels.upperBound {
        let (part, place) = channel.quotientAndRemainder(dividingBy: layout.stretch)
        let count = min(layout.stretch &- place, channels.upperBound &- channel)
        let slot = part &* WinogradLayout.frequencies &+ frequency
        let a = unsafe frequencies + (layout.offset(slot: slot) &+ place)
        let before = channel &- channels.lowerBound
        let b = unsafe weights + (frequency &* stride &+ layout.words(before) &* PanelShape.width)
        let panel = unsafe sums + frequency &* layout.sumStride
        let isLast = channel &+ count == channels.upperBound
        let words = layout.words(count)
        let next =
          isLast
          ? channels.lowerBound / layout.stretch &* WinogradLayout.frequencies &+ frequency &+ 1
          : slot &+ WinogradLayout.frequencies
        let ahead = unsafe nextSlot(
          frequencies + layout.offset(slot: next),
          isLast ? weights + (frequency &+ 1) &* stride : b + words &* PanelShape.width, words: words, tiles: tiles,
          layout)
        if layout.isRounded {
          let scales = layout.weightScaleOffset(channel: before, channels: channels.count)
          unsafe multiplyRoundedPanel(
            rows: tiles, words: words, a.pairWords, b.pairWords, scales: frequencies + layout.scaleOffset(slot: slot),
            columnScales: weights + (scales &+ frequency &* PanelShape.width), into: panel, isContinued: channel > 0,
            ahead: ahead)
        } else {
          unsafe multiplyPanel(
            rows: tiles, depth: words, a, b, into: panel, isContinued: channel > 0, ahead: ahead)
        }
        channel &+= count
      }
      frequency &+= 1
    }
  }

  /// Any number of rows, in tiles of nearly equal height.
  @inline(__always)
  private static func multiplyPanel(
    rows: Int, depth: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into sums: UnsafeMutablePointer<Float>, isContinued: Bool, ahead: ReadAhead
  ) {
    unsafe forEachTile(rows: rows, ahead) { row, count, ahead in
      unsafe multiplyTile(
        rows: count, depth: depth, a + row &* PanelShape.rowStride, b, into: sums + row &* PanelShape.width,
        isContinued: isContinued, ahead: ahead)
    }
  }

  /// The same of integers.
  @inline(__always)
  private static func multiplyRoundedPanel(
    rows: Int, words: Int, _ a: UnsafePointer<Int32>, _ b: UnsafePointer<Int32>, scales: UnsafePointer<Float>,
    columnScales: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>, isContinued: Bool, ahead: ReadAhead
  ) {
    unsafe forEachTile(rows: rows, ahead) { row, count, ahead in
      unsafe multiplyTile(
        RoundedOutput(
          sums: sums + row &* PanelShape.width, scales: scales + row, columnScales: columnScales,
          isContinued: isContinued), rows: count, steps: words, a + row &* PanelShape.pairs,
        left: UnsafeRawPointer(b), right: UnsafeRawPointer(b + Vector.scalarCount), ahead: ahead)
    }
  }

  /// What a slot's first tile asks for: its share of the next slot, as if that were as long.
  @inline(__always)
  private static func nextSlot(
    _ inputs: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, words: Int, tiles: Int, _ layout: WinogradLayout
  ) -> ReadAhead {
    let parts = (tiles &+ PanelShape.rows &- 1) / PanelShape.rows
    // Weights lie without gaps: as many lines as a row of inputs has, `PanelShape.width` times.
    return unsafe ReadAhead(
      weights: ReadAhead.Rows(
        base: UnsafeRawPointer(weights), count: (PanelShape.width &+ parts &- 1) / parts, stride: 4 &* words,
        byteWidth: 4),
      inputs: ReadAhead.Rows(
        base: UnsafeRawPointer(inputs), count: (tiles &+ parts &- 1) / parts, stride: 4 &* layout.rowStride,
        byteWidth: 4))
  }

  /// Cuts rows into tiles of nearly equal height, each of which asks for its share of what comes next.
  @inline(__always)
  private static func forEachTile(
    rows: Int, _ ahead: ReadAhead, _ body: (_ row: Int, _ count: Int, _ ahead: ReadAhead) -> Void
  ) {
    var ahead = unsafe ahead
    var parts = (rows &+ PanelShape.rows &- 1) / PanelShape.rows
    var row = 0
    while parts > 0 {
      let count = (rows &- row &+ parts &- 1) / parts
      unsafe body(row, count, ahead)
      unsafe ahead.advance()
      row &+= count
      parts &-= 1
    }
  }
}
