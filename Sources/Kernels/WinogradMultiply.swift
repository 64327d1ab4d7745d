internal import CProcessor
package import KernelInterface

extension VectorKernels {
  package static func winogradLayout(inputs: Int, tiles: Int, step: Int) -> WinogradLayout {
    WinogradLayout(
      inputs: inputs, tiles: tiles, step: step, lanes: Vector.scalarCount, panelWidth: PanelShape.width,
      depth: PanelShape.depth,
      rowStride: PanelShape.rowStride)
  }

  package static func winogradMultiply(
    _ frequencies: UnsafePointer<Float>, channels: Range<Int>, _ weights: UnsafePointer<Float>, frequencyStride: Int,
    tiles: Int, _ layout: WinogradLayout, into sums: UnsafeMutablePointer<Float>
  ) {
    var frequency = 0
    while frequency < WinogradLayout.frequencies {
      var channel = channels.lowerBound
      while channel < channels.upperBound {
        let (part, place) = channel.quotientAndRemainder(dividingBy: layout.stretch)
        let depth = min(layout.stretch &- place, channels.upperBound &- channel)
        let a = unsafe frequencies + (layout.offset(slot: part &* WinogradLayout.frequencies &+ frequency) &+ place)
        let b = unsafe weights + (frequency &* frequencyStride &+ (channel &- channels.lowerBound) &* PanelShape.width)
        unsafe multiplyPanel(
          rows: tiles, depth: depth, a, b, into: sums + frequency &* layout.sumStride, isContinued: channel > 0)
        channel &+= depth
      }
      frequency &+= 1
    }
  }

  /// Any number of rows, in tiles of nearly equal height.
  @inline(__always)
  private static func multiplyPanel(
    rows: Int, depth: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into sums: UnsafeMutablePointer<Float>, isContinued: Bool
  ) {
    var parts = (rows &+ PanelShape.rows &- 1) / PanelShape.rows
    var row = 0
    while parts > 0 {
      let count = (rows &- row &+ parts &- 1) / parts
      unsafe multiplyTile(
        rows: count, depth: depth, a + row &* PanelShape.rowStride, b, into: sums + row &* PanelShape.width,
        isContinued: isContinued)
      row &+= count
      parts &-= 1
    }
  }
}
