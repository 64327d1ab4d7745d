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
  /// Stretches of a head's elements: more than one only for heads beyond ``PanelShape/depth``.
  let stretches: Int

  /// Floats of keys and of values that are packed at a time: together 512 KB, half of a server's second-level cache.
  @inline(__always) private static var packedFloats: Int { 64 << 10 }

  init(_ task: AttentionTask, queries: Int) {
    self.queries = queries
    unsafe (keys, depth) = (task.keys, task.depth)
    queryBlocks = Self.parts(of: queries, PanelShape.rows)
    stretches = Self.parts(of: depth, PanelShape.depth)
    let fitting = max(PanelShape.width, Self.packedFloats / depth / PanelShape.width &* PanelShape.width)
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
    stretch &* PanelShape.depth..<min((stretch &+ 1) &* PanelShape.depth, depth)
  }

  // MARK: Offsets in the working memory, in floats

  /// Row panels of the queries, stretch by stretch.
  var queryPanels: Int { 0 }
  /// Column panels of the keys of a block, transposed.
  var keyPanels: Int { queryPanels + stretches * queries * PanelShape.rowStride }
  /// Column panels of their values.
  var valuePanels: Int { keyPanels + panels(blockKeys) * PanelShape.width * depth }
  /// One row panel's scores.
  var scores: Int { valuePanels + depthPanels * PanelShape.width * blockKeys }
  /// Their weights, a row panel.
  var weights: Int { scores + PanelShape.rows * panels(blockKeys) * PanelShape.width }
  /// Sums of weighted values: tiles of all queries.
  var sums: Int { weights + PanelShape.rows * PanelShape.rowStride }
  /// Per query, the largest scaled score so far.
  var largest: Int { sums + queries * depthPanels * PanelShape.width }
  /// Per query, the sum of the weights so far.
  var totals: Int { largest + queries }
  var workspace: Int { totals + queries }
}
