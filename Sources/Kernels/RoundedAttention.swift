internal import CProcessor
internal import KernelInterface

/// Attention's products in pairs of 16-bit integers. The softmax between them is fp32: its weights are rounded when they are known,
/// stretch by stretch, each by the norm of its own.
extension VectorKernels {
  @inline(__always)
  static func roundKeys(
    _ task: AttentionTask, _ keys: Range<Int>, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    let source = unsafe StoredRows<Float32Element>(UnsafeRawPointer(task.key), stride: task.stride)
    let staging = unsafe workspace + blocks.staging
    for panel in 0..<blocks.panels(keys.count) {
      let target = unsafe workspace + blocks.keyPanel(panel)
      for half in 0..<2 {
        let columns = halfPanel(panel, half, keys)
        for stretch in 0..<blocks.stretches {
          let elements = blocks.elements(stretch)
          unsafe transpose(
            source, first: columns.lowerBound, last: columns.upperBound &- 1, steps: elements
          ) { element, column in
            unsafe staging.store(column, at: (element &- elements.lowerBound) &* lanes)
          }
          unsafe PairRounding.roundColumns(
            staging, count: elements.count,
            into: target + (stretch &* PanelShape.pairs &* PanelShape.width &+ half &* lanes),
            scales: target + (blocks.keyScales(stretch) &+ half &* lanes))
        }
      }
    }
  }

  @inline(__always)
  static func roundValues(
    _ task: AttentionTask, _ keys: Range<Int>, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    let staging = unsafe workspace + blocks.staging
    for panel in 0..<blocks.depthPanels {
      let target = unsafe workspace + blocks.valuePanel(panel)
      for half in 0..<2 {
        for stretch in 0..<PairRounding.stretches(keys.count) {
          let members = PairRounding.steps(stretch, of: keys.count)
          for key in members {
            unsafe staging.store(
              value(task, keys.lowerBound &+ key, panel, half: half), at: (key &- members.lowerBound) &* lanes)
          }
          unsafe PairRounding.roundColumns(
            staging, count: members.count,
            into: target + (stretch &* PanelShape.pairs &* PanelShape.width &+ half &* lanes),
            scales: target + (blocks.valueScales(stretch) &+ half &* lanes))
        }
      }
    }
  }

  /// The scores of a row panel: its queries times the block's keys.
  @inline(__always)
  static func scoreRounded(
    _ rows: Range<Int>, _ keys: Int, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    for stretch in 0..<blocks.stretches {
      let words = PairRounding.words(blocks.elements(stretch).count)
      for panel in 0..<blocks.panels(keys) {
        unsafe multiplyPairs(
          workspace + blocks.queryPanel(rows, stretch),
          scales: workspace + (blocks.queryScales(stretch) &+ rows.lowerBound), rows: rows.count, words: words,
          workspace + (blocks.keyPanel(panel) &+ stretch &* PanelShape.pairs &* PanelShape.width),
          columnScales: workspace + (blocks.keyPanel(panel) &+ blocks.keyScales(stretch)),
          into: workspace + (blocks.scores &+ panel &* rows.count &* PanelShape.width), isContinued: stretch > 0)
      }
    }
  }

  /// Rounds a row panel's weights and adds its weighted values.
  @inline(__always)
  static func addRounded(
    _ rows: Range<Int>, _ keys: Int, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>,
    isContinued: Bool
  ) {
    for stretch in 0..<PairRounding.stretches(keys) {
      let members = PairRounding.steps(stretch, of: keys)
      for line in 0..<rows.count {
        unsafe workspace[blocks.weightScales(stretch) &+ line] = PairRounding.roundRow(
          workspace + (blocks.weights &+ line &* PanelShape.rowStride &+ members.lowerBound), count: members.count,
          into: workspace + (blocks.weightPanel(stretch) &+ line &* PanelShape.pairs))
      }
      for panel in 0..<blocks.depthPanels {
        unsafe multiplyPairs(
          workspace + blocks.weightPanel(stretch), scales: workspace + blocks.weightScales(stretch), rows: rows.count,
          words: PairRounding.words(members.count),
          workspace + (blocks.valuePanel(panel) &+ stretch &* PanelShape.pairs &* PanelShape.width),
          columnScales: workspace + (blocks.valuePanel(panel) &+ blocks.valueScales(stretch)),
          into: workspace + tile(panel, rows, blocks), isContinued: isContinued || stretch > 0)
      }
    }
  }

  /// A tile of pairs, as the numbers that they stand for.
  @inline(__always)
  private static func multiplyPairs(
    _ a: UnsafePointer<Float>, scales: UnsafePointer<Float>, rows: Int, words: Int, _ b: UnsafePointer<Float>,
    columnScales: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>, isContinued: Bool
  ) {
    unsafe multiplyTile(
      RoundedOutput(sums: sums, scales: scales, columnScales: columnScales, isContinued: isContinued), rows: rows,
      steps: words, a.pairWords, left: UnsafeRawPointer(b), right: UnsafeRawPointer(b + Vector.scalarCount),
      ahead: .nothing)
  }
}
