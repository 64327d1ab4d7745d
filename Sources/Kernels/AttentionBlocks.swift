internal import KernelInterface

/// How one head's attention is cut up, and where the pieces lie in the working memory.
struct AttentionBlocks {
  private let queries: Int
  private let keys: Int
  let depth: Int
  /// Row panels of queries, of nearly equal height.
  let queryBlocks: Int
  /// Keys that are taken together, and how often.
  let blockKeys: Int, keyBlocks: Int
  /// Whether operands are pairs of 16-bit integers.
  let isRounded: Bool
  /// Stretches of a head's elements: more than one only for heads beyond ``PanelShape/depth``, or ``PairRounding/stretch``.
  let stretches: Int

  /// Floats of keys and of values that are packed at a time: together 512 KB, half of a server's second-level cache.
  @inline(__always) private static var packedFloats: Int { 64 << 10 }

  init(_ task: AttentionTask, queries: Int) {
    self.queries = queries
    unsafe (keys, depth) = (task.keys, task.depth)
    queryBlocks = Self.parts(of: queries, PanelShape.rows)
    isRounded = unsafe task.isRounded
    stretches = isRounded ? PairRounding.stretches(depth) : Self.parts(of: depth, PanelShape.depth)
    let words = isRounded ? PairRounding.words(depth) : depth
    let fitting = max(PanelShape.width, Self.packedFloats / words / PanelShape.width &* PanelShape.width)
    let limit = unsafe task.keyBlock ?? min(256, fitting)
    // Nearly equal blocks, but whole panels.
    let wanted = Self.parts(of: keys, limit)
    blockKeys = min(limit, Self.parts(of: Self.parts(of: keys, wanted), PanelShape.width) &* PanelShape.width)
    keyBlocks = Self.parts(of: keys, blockKeys)
  }

  /// How many pieces of at most `size` make up `count`.
  @inline(__always)
  private static func parts(of count: Int, _ size: Int) -> Int { (count &+ size &- 1) / size }

  /// Panels of keys in a block of that many, and of a head's elements.
  @inline(__always)
  func panels(_ keys: Int) -> Int { Self.parts(of: keys, PanelShape.width) }
  var depthPanels: Int { Self.parts(of: depth, PanelShape.width) }

  /// The rows of a row panel, counted from the part's first query.
  @inline(__always)
  func rows(_ block: Int) -> Range<Int> { block &* queries / queryBlocks..<(block &+ 1) &* queries / queryBlocks }

  @inline(__always)
  func keys(_ block: Int) -> Range<Int> { block &* blockKeys..<min((block &+ 1) &* blockKeys, keys) }

  @inline(__always)
  func elements(_ stretch: Int) -> Range<Int> {
    isRounded
      ? PairRounding.steps(stretch, of: depth)
      : stretch &* PanelShape.depth..<min((stretch &+ 1) &* PanelShape.depth, depth)
  }

  /// Words of a column panel's stretches of `count` steps, and of all its scales behind them.
  @inline(__always)
  private func panelWords(_ count: Int) -> Int {
    isRounded
      ? (PairRounding.words(count) &+ PairRounding.stretches(count)) &* PanelShape.width : count &* PanelShape.width
  }

  /// Words from one row of a row panel to the next.
  @inline(__always)
  var rowStride: Int { isRounded ? PanelShape.pairs : PanelShape.rowStride }

  // MARK: Offsets in the working memory, in words

  /// Row panels of the queries, stretch by stretch.
  @inline(__always)
  func queryPanel(_ rows: Range<Int>, _ stretch: Int) -> Int {
    (rows.lowerBound &* stretches &+ stretch &* rows.count) &* rowStride
  }
  /// If rounded, the scale of each query's stretch.
  @inline(__always)
  func queryScales(_ stretch: Int) -> Int { stretches &* queries &* rowStride &+ stretch &* queries }
  /// Column panels of the keys of a block, transposed; words of an element, or pair, are a panel's width apart.
  var keyPanels: Int { (queryScales(isRounded ? stretches : 0) &+ 15) / 16 &* 16 }
  @inline(__always)
  func keyPanel(_ panel: Int) -> Int { keyPanels &+ panel &* panelWords(depth) }
  /// In a panel of keys, the scales of a stretch.
  @inline(__always)
  func keyScales(_ stretch: Int) -> Int { (PairRounding.words(depth) &+ stretch) &* PanelShape.width }
  /// Column panels of their values.
  var valuePanels: Int { keyPanel(panels(blockKeys)) }
  @inline(__always)
  func valuePanel(_ panel: Int) -> Int { valuePanels &+ panel &* panelWords(blockKeys) }
  /// In a panel of values, the scales of a stretch of keys.
  @inline(__always)
  func valueScales(_ stretch: Int) -> Int { (PairRounding.words(blockKeys) &+ stretch) &* PanelShape.width }
  /// A stretch of a register of columns that is to be rounded.
  var staging: Int { valuePanel(depthPanels) }
  /// One row panel's scores.
  var scores: Int { staging + (isRounded ? PairRounding.stretch * Vector.scalarCount : 0) }
  /// Their weights, a row panel.
  var weights: Int { scores + PanelShape.rows * panels(blockKeys) * PanelShape.width }
  /// If rounded, the same in pairs, stretch by stretch, and the scales of each stretch.
  var weightPairs: Int { weights + PanelShape.rows * PanelShape.rowStride }
  @inline(__always)
  func weightPanel(_ stretch: Int) -> Int { weightPairs &+ stretch &* PanelShape.rows &* PanelShape.pairs }
  @inline(__always)
  func weightScales(_ stretch: Int) -> Int { weightPanel(PairRounding.stretches(blockKeys)) &+ stretch &* 16 }
  /// Sums of weighted values: tiles of all queries.
  var sums: Int { isRounded ? weightScales(PairRounding.stretches(blockKeys)) : weightPairs }
  /// Per query, the largest scaled score so far.
  var largest: Int { sums + queries * depthPanels * PanelShape.width }
  /// Per query, the sum of the weights so far.
  var totals: Int { largest + queries }
  var workspace: Int { totals + queries }
}
