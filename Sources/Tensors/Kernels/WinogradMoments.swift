internal import KernelInterface

/// What blocks of tiles have added up of the pixels that they wrote: a record for each block and panel, blocks of a picture one after the
/// other, panels in them.
extension WinogradCall {
  /// Floats of a record: shifts, and sums and squares in double.
  private static func recordFloats(_ layout: WinogradLayout) -> Int { 5 * layout.panelWidth }

  /// Floats of all records.
  static func momentFloats(grid: WinogradGrid, layout: WinogradLayout, pictures: Int, outputs: Int) -> Int {
    let panels = (outputs + layout.panelWidth - 1) / layout.panelWidth * (grid.isQuartered ? 4 : 1)
    return pictures * grid.count * panels * recordFloats(layout)
  }

  /// Where a block adds up a panel.
  func moments(picture: Int, block: Int, panel: Int) -> WinogradMoments {
    let record = (picture * grid.count + block) * panels + panel
    let base = unsafe momentMemory + record * Self.recordFloats(layout)
    let sums = unsafe UnsafeMutableRawPointer(base).assumingMemoryBound(to: Double.self)
    return unsafe WinogradMoments(
      shifts: base + 4 * layout.panelWidth, sums: sums, squares: sums + layout.panelWidth)
  }

  /// All records together, in the order of the blocks.
  var channelMoments: ChannelMoments {
    let pictures = x.shape[0]
    return ChannelMoments(
      values: (0..<pictures).flatMap { picture in
        var moments = [ShiftedMoments](repeating: ShiftedMoments(), count: result.shape[3])
        for block in 0..<grid.count {
          let tiles = grid.block(block)
          for panel in 0..<panels {
            let target = unsafe target(picture: picture, block: block, panel: panel)
            let pixels = unsafe target.pixels(rows: tiles.rows.count, columns: tiles.columns.count, step: layout.step)
            let outputs = self.outputs(panel)
            for output in outputs {
              let lane = output - outputs.lowerBound
              unsafe moments[output].add(
                count: pixels, shift: target.moments.shifts[lane], sum: target.moments.sums[lane],
                squares: target.moments.squares[lane])
            }
          }
        }
        return moments.map(\.moments)
      })
  }
}

/// Sums about a number near the mean, that of the first block.
private struct ShiftedMoments {
  private var count = 0
  private var shift: Float = 0
  private var sum = 0.0, squares = 0.0

  /// Adds sums about another number, as near.
  mutating func add(count: Int, shift: Float, sum: Double, squares: Double) {
    guard count > 0 else { return }
    if self.count == 0 { self.shift = shift }
    let (distance, pixels) = (Double(shift) - Double(self.shift), Double(count))
    self.sum += sum + pixels * distance
    self.squares += squares + (2 * sum + pixels * distance) * distance
    self.count += count
  }

  var moments: Moments { Moments(count: count, shift: shift, sum: sum, sumOfSquares: squares) }
}
