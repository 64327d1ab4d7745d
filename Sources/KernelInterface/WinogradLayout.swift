/// How the frequencies of a block of tiles lie in memory.
///
/// They are operands of products, so they lie in row panels: a row a tile, of a fixed stride. A row holds the input channels of
/// several frequencies if they are few, and a stretch of one frequency's channels if they are many. A *slot* is one such
/// stretch; slots that share rows make a *group*.
package struct WinogradLayout: Sendable {
  /// Frequencies of a tile.
  package static let frequencies = 36

  /// Input channels.
  package let inputs: Int
  /// Tiles for which there is room.
  package let tiles: Int
  /// Pixels from one tile to the next, both ways: 4 with kernels of 3×3, 5 with kernels of 2×2.
  package let step: Int
  /// Floats in a register.
  package let lanes: Int
  /// Outputs of a panel.
  package let panelWidth: Int
  /// Floats from one tile's row to the next.
  package let rowStride: Int
  /// Stretches into which the input channels are cut.
  package let stretches: Int
  /// Channels of a stretch: a whole number of registers; the last stretch may be shorter.
  package let stretch: Int
  /// Floats from one frequency's sums to the next. One line more than the sums: a power of two would put all frequencies
  /// of a tile into the same set of the cache.
  package let sumStride: Int
  private let slotsPerRow: Int

  /// - Parameter depth: the longest stretch that a row panel takes.
  package init(inputs: Int, tiles: Int, step: Int, lanes: Int, panelWidth: Int, depth: Int, rowStride: Int) {
    self.inputs = inputs
    self.tiles = tiles
    self.step = step
    self.lanes = lanes
    self.panelWidth = panelWidth
    self.rowStride = rowStride
    let parts = (inputs + depth - 1) / depth
    stretch = ((inputs + parts - 1) / parts + lanes - 1) / lanes * lanes
    stretches = (inputs + stretch - 1) / stretch
    slotsPerRow = max(1, depth / stretch)
    sumStride = tiles * panelWidth + 16
  }

  /// Where the first tile's row of a slot begins. Slots are counted stretch by stretch: `stretch · 36 + frequency`.
  package func offset(slot: Int) -> Int {
    let (group, place) = slot.quotientAndRemainder(dividingBy: slotsPerRow)
    return group * tiles * rowStride + place * stretch
  }

  /// Floats of a block's frequencies.
  package var inputCount: Int {
    (Self.frequencies * stretches + slotsPerRow - 1) / slotsPerRow * tiles * rowStride
  }

  /// Floats from one frequency's weights to the next, of `channels` input channels: a line more than they take, since at a power
  /// of two all frequencies of a kernel would fall into the same few sets of the caches.
  package func weightStride(channels: Int) -> Int { channels * panelWidth + 16 }

  /// Floats of a panel's weights.
  package func weightCount(channels: Int) -> Int { Self.frequencies * weightStride(channels: channels) }

  /// Floats of the sums of a block of tiles and a panel of outputs.
  package var sumCount: Int { Self.frequencies * sumStride }

  /// Pixels of the input under some tiles in a row, which overlap.
  package func inputExtent(tiles: Int) -> Int { step * (tiles - 1) + 6 }

  /// Floats that the transform of a block of `rows` × `columns` tiles works in.
  package func inputScratch(rows: Int, columns: Int) -> Int {
    (inputExtent(tiles: rows) + 6) * inputExtent(tiles: columns) * lanes
  }
}
