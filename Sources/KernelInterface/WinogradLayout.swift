/// How the frequencies of a block of tiles lie in memory.
///
/// They are operands of products, so they lie in row panels: a row a tile, of a fixed stride. A row holds the input channels of
/// several frequencies if they are few, and a stretch of one frequency's channels if they are many. A *slot* is one such
/// stretch; slots that share rows make a *group*.
///
/// Operands are *words* of 32 bits: an fp32 number, or two integers of 16 bits, of two channels that are a register apart. Integers have
/// scales, behind the words: one for each tile's slot, and one for each output's stretch of weights.
package struct WinogradLayout: Sendable {
  /// Frequencies of a tile.
  package static let frequencies = 36

  /// Input channels.
  package let inputs: Int
  /// Tiles for which there is room.
  package let tiles: Int
  /// Pixels from one tile to the next, both ways: 4 with kernels of 3×3, 5 with kernels of 2×2.
  package let step: Int
  /// Whether operands are integers of 16 bits, rather than fp32.
  package let isRounded: Bool
  /// Words in a register.
  package let lanes: Int
  /// Outputs of a panel.
  package let panelWidth: Int
  /// Words from one tile's row to the next.
  package let rowStride: Int
  /// Stretches into which the input channels are cut.
  package let stretches: Int
  /// Channels of a stretch: a whole number of registers of words; the last stretch may be shorter.
  package let stretch: Int
  /// Floats from one frequency's sums to the next. One line more than the sums: a power of two would put all frequencies
  /// of a tile into the same set of the cache.
  package let sumStride: Int
  private let slotsPerRow: Int

  /// - Parameter depth: the longest stretch that a row panel takes, in words.
  package init(
    inputs: Int, tiles: Int, step: Int, isRounded: Bool, lanes: Int, panelWidth: Int, depth: Int, rowStride: Int
  ) {
    self.inputs = inputs
    self.tiles = tiles
    self.step = step
    self.isRounded = isRounded
    self.lanes = lanes
    self.panelWidth = panelWidth
    self.rowStride = rowStride
    let (longest, granularity) = isRounded ? (2 * depth, 2 * lanes) : (depth, lanes)
    let parts = (inputs + longest - 1) / longest
    stretch = ((inputs + parts - 1) / parts + granularity - 1) / granularity * granularity
    stretches = (inputs + stretch - 1) / stretch
    sumStride = tiles * panelWidth + 16
    slotsPerRow = max(1, depth / (isRounded ? stretch / 2 : stretch))
  }

  /// Words of some channels that begin with a stretch.
  package func words(_ channels: Int) -> Int {
    isRounded ? (channels + 2 * lanes - 1) / (2 * lanes) * lanes : channels
  }

  // MARK: Inputs

  /// Where the first tile's row of a slot begins. Slots are counted stretch by stretch: `stretch · 36 + frequency`.
  package func offset(slot: Int) -> Int {
    let (group, place) = slot.quotientAndRemainder(dividingBy: slotsPerRow)
    return group * tiles * rowStride + place * words(stretch)
  }

  /// Words of a block's frequencies without scales.
  private var inputWords: Int {
    (Self.frequencies * stretches + slotsPerRow - 1) / slotsPerRow * tiles * rowStride
  }

  /// Where the scales of a slot begin, one a tile.
  package func scaleOffset(slot: Int) -> Int { inputWords + slot * tiles }

  /// Words of a block's frequencies, and their scales.
  package var inputCount: Int { inputWords + (isRounded ? Self.frequencies * stretches * tiles : 0) }

  /// Pixels of the input under some tiles in a row, which overlap.
  package func inputExtent(tiles: Int) -> Int { step * (tiles - 1) + 6 }

  /// Channels whose pixels are staged together: what is rounded together, or a register.
  package var run: Int { isRounded ? stretch : lanes }

  /// Floats of a run's normalised pixels, and of half transformed ones.
  package func pixelScratch(rows: Int, columns: Int) -> Int {
    (inputExtent(tiles: rows) * run + 6 * lanes) * inputExtent(tiles: columns)
  }

  /// Of a row of tiles whose frequencies wait to be rounded: floats from one tile to the next, and from one frequency to the next.
  /// A line more than there are, for the sake of the cache's sets.
  package func stagingStride(columns: Int) -> (tile: Int, frequency: Int) {
    (stretch + 16, columns * (stretch + 16) + 16)
  }

  /// Floats that the transform of a block of `rows` × `columns` tiles works in.
  package func inputScratch(rows: Int, columns: Int) -> Int {
    pixelScratch(rows: rows, columns: columns)
      + (isRounded ? Self.frequencies * stagingStride(columns: columns).frequency : 0)
  }

  // MARK: Weights

  /// Words from one frequency's weights to the next, of `channels` input channels: a line more than they take, since at a power
  /// of two all frequencies of a kernel would fall into the same few sets of the caches.
  package func weightStride(channels: Int) -> Int { words(channels) * panelWidth + 16 }

  /// Where the scales of a stretch begin in a panel's weights of `channels` input channels, the stretch's first being `channel`:
  /// one an output for each frequency.
  package func weightScaleOffset(channel: Int, channels: Int) -> Int {
    Self.frequencies * (weightStride(channels: channels) + channel / stretch * panelWidth)
  }

  /// Words of a panel's weights, and their scales.
  package func weightCount(channels: Int) -> Int {
    weightScaleOffset(channel: isRounded ? (channels + stretch - 1) / stretch * stretch : 0, channels: channels)
  }

  /// Floats that the transform of some channels' weights works in.
  package func weightScratch(channels: Int) -> Int {
    (9 + (isRounded ? Self.frequencies : 0)) * channels * lanes
      + (isRounded ? Self.frequencies * 16 : 0)
  }

  // MARK: Sums

  /// Floats of the sums of a block of tiles and a panel of outputs.
  package var sumCount: Int { Self.frequencies * sumStride }
}
