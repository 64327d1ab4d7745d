internal import KernelInterface

/// How a part of a convolution is cut up; all cuts into nearly equal pieces.
struct ConvolutionBlocks {
  /// Floats of the column panels that are expanded at a time: 512 KB, half of a server's second-level cache.
  @inline(__always) private static var groupFloats: Int { 128 << 10 }

  private let rowCount: Int
  private let outputCount: Int
  /// Taps of the kernel.
  let taps: Int
  /// Row panels.
  let rowBlocks: Int
  /// Groups of column panels, and the panels of the largest one.
  let groups: Int, groupPanels: Int
  /// Stretches of the summed index, and the channels of all but the last.
  let stretches: Int, stretchChannels: Int

  init(_ task: ConvolutionTask, rows: Int, outputs: Int) {
    (rowCount, outputCount) = (rows, outputs)
    taps = unsafe task.kernelHeight &* task.kernelWidth
    rowBlocks = Self.parts(of: rows, PanelShape.rows)
    let channels = unsafe task.channels
    let wanted = Self.parts(of: channels, max(1, PanelShape.depth / taps))
    stretchChannels = Self.parts(of: channels, wanted)
    stretches = Self.parts(of: channels, stretchChannels)
    let panels = Self.parts(of: outputs, PanelShape.width)
    groups = Self.parts(of: panels, max(1, Self.groupFloats / (stretchChannels &* taps &* PanelShape.width)))
    groupPanels = Self.parts(of: panels, groups)
  }

  private static func parts(of count: Int, _ size: Int) -> Int { (count &+ size &- 1) / size }

  /// Floats of a column panel.
  var panelFloats: Int { stretchChannels &* taps &* PanelShape.width }

  /// Floats of one row panel, the group's column panels, and the sums: a tile that is finished at once, or those of
  /// all the group's tiles.
  var workspace: Int {
    PanelShape.rows * PanelShape.rowStride + groupPanels * panelFloats
      + (stretches == 1 ? PanelShape.rows : rowCount * groupPanels) * PanelShape.width
  }

  /// The column panels of a group.
  @inline(__always)
  func panels(_ group: Int) -> Range<Int> {
    let panels = Self.parts(of: outputCount, PanelShape.width)
    return group &* panels / groups..<(group &+ 1) &* panels / groups
  }

  /// The outputs of a panel, the part's first being `first`.
  @inline(__always)
  func outputs(_ panel: Int, from first: Int) -> Range<Int> {
    first &+ panel &* PanelShape.width..<first &+ min((panel &+ 1) &* PanelShape.width, outputCount)
  }

  /// The input channels of a stretch.
  @inline(__always)
  func channels(_ stretch: Int, of channels: Int) -> Range<Int> {
    stretch &* stretchChannels..<min((stretch &+ 1) &* stretchChannels, channels)
  }

  /// The rows of a row panel, counted from the part's first.
  @inline(__always)
  func rows(_ block: Int) -> Range<Int> { block &* rowCount / rowBlocks..<(block &+ 1) &* rowCount / rowBlocks }

  /// Where a tile's sums are, counted in floats.
  @inline(__always)
  func tileOffset(_ block: Int, _ member: Int) -> Int {
    stretches == 1 ? 0 : (member &* rowCount &+ rows(block).lowerBound) &* PanelShape.width
  }
}
