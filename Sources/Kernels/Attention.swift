internal import CProcessor
package import KernelInterface

/// Scaled dot-product attention in blocks of queries and keys, so that no `queries × keys` matrix exists: softmax is
/// computed online, a running maximum and sum per query (Milakov and Gimelshein, 2018; the blocking is that of Dao et
/// al., FlashAttention, 2022).
///
/// Keys and values of a block are packed once for all queries of the part. The scores of a row panel fit in the first-level
/// cache; turned into weights they are a row panel again, the left operand of the second product.
extension VectorKernels {
  package static func attentionWorkspace(_ task: AttentionTask, queries: Int) -> Int {
    unsafe AttentionBlocks(task, queries: queries).workspace
  }

  package static func attention(
    _ task: AttentionTask, queries: Range<Int>, workspace: UnsafeMutablePointer<Float>
  ) {
    let blocks = unsafe AttentionBlocks(task, queries: queries.count)
    unsafe copyQueries(task, queries, blocks, workspace)
    let softmax = unsafe OnlineSoftmax(
      scores: workspace + blocks.scores, weights: workspace + blocks.weights, largest: workspace + blocks.largest,
      totals: workspace + blocks.totals, factor: 1.442_695_04 / Float(blocks.depth).squareRoot())
    for query in 0..<queries.count {
      unsafe softmax.largest[query] = -.infinity
      unsafe softmax.totals[query] = 0
    }
    for keyBlock in 0..<blocks.keyBlocks {
      let keys = blocks.keys(keyBlock)
      // Later keys are hidden from every query of the part.
      if unsafe task.isCausal && keys.lowerBound >= queries.upperBound { break }
      if blocks.isRounded {
        unsafe roundKeys(task, keys, blocks, workspace)
        unsafe roundValues(task, keys, blocks, workspace)
      } else {
        unsafe packKeys(task, keys, blocks, workspace)
        unsafe packValues(task, keys, blocks, workspace)
      }
      for queryBlock in 0..<blocks.queryBlocks {
        let rows = blocks.rows(queryBlock)
        if blocks.isRounded {
          unsafe scoreRounded(rows, keys.count, blocks, workspace)
        } else {
          unsafe score(rows, keys.count, blocks, workspace)
        }
        for row in rows {
          let position = queries.lowerBound &+ row
          let visible = unsafe task.isCausal ? min(keys.count, position &+ 1 &- keys.lowerBound) : keys.count
          let correction = unsafe softmax.weigh(
            row, line: row &- rows.lowerBound, panelRows: rows.count, keys: keys.count, visible: visible)
          if keyBlock > 0, correction != 1 {
            unsafe scale(row &- rows.lowerBound, of: rows, by: correction, blocks, workspace)
          }
        }
        if blocks.isRounded {
          unsafe addRounded(rows, keys.count, blocks, workspace, isContinued: keyBlock > 0)
        } else {
          unsafe add(rows, keys.count, blocks, workspace, isContinued: keyBlock > 0)
        }
      }
    }
    unsafe finish(task, queries, blocks, workspace)
  }

  /// Where the sums of some rows and of a panel of a head's elements lie.
  @inline(__always)
  static func tile(_ panel: Int, _ rows: Range<Int>, _ blocks: AttentionBlocks) -> Int {
    blocks.sums &+ (rows.lowerBound &* blocks.depthPanels &+ panel &* rows.count) &* PanelShape.width
  }

  /// The scores of a row panel: its queries times the block's keys.
  @inline(__always)
  private static func score(
    _ rows: Range<Int>, _ keys: Int, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    for stretch in 0..<blocks.stretches {
      let elements = blocks.elements(stretch)
      for panel in 0..<blocks.panels(keys) {
        unsafe multiplyTile(
          rows: rows.count, depth: elements.count, workspace + blocks.queryPanel(rows, stretch),
          workspace + (blocks.keyPanel(panel) &+ elements.lowerBound &* PanelShape.width),
          into: workspace + (blocks.scores &+ panel &* rows.count &* PanelShape.width), isContinued: stretch > 0)
      }
    }
  }

  /// Adds a row panel's weighted values.
  @inline(__always)
  private static func add(
    _ rows: Range<Int>, _ keys: Int, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>,
    isContinued: Bool
  ) {
    for panel in 0..<blocks.depthPanels {
      unsafe multiplyTile(
        rows: rows.count, depth: keys, workspace + blocks.weights, workspace + blocks.valuePanel(panel),
        into: workspace + tile(panel, rows, blocks), isContinued: isContinued)
    }
  }

  @inline(__always)
  private static func copyQueries(
    _ task: AttentionTask, _ queries: Range<Int>, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    for block in 0..<blocks.queryBlocks {
      let rows = blocks.rows(block)
      for stretch in 0..<blocks.stretches {
        let elements = blocks.elements(stretch)
        var target = unsafe workspace + blocks.queryPanel(rows, stretch)
        for row in rows {
          let offset = unsafe (queries.lowerBound &+ row) &* task.stride &+ elements.lowerBound
          if blocks.isRounded {
            unsafe workspace[blocks.queryScales(stretch) &+ row] = PairRounding.roundRow(
              task.query + offset, count: elements.count, into: target)
          } else {
            unsafe copy(elements.count, task.query + offset, to: target)
          }
          unsafe target += blocks.rowStride
        }
      }
    }
  }

  @inline(__always)
  private static func packKeys(
    _ task: AttentionTask, _ keys: Range<Int>, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    let source = unsafe StoredRows<Float32Element>(UnsafeRawPointer(task.key), stride: task.stride)
    for panel in 0..<blocks.panels(keys.count) {
      for half in 0..<2 {
        unsafe packTransposed(
          source, rows: halfPanel(panel, half, keys), steps: 0..<blocks.depth,
          into: workspace + (blocks.keyPanel(panel) &+ half &* Vector.scalarCount))
      }
    }
  }

  /// The keys of half a panel. A half beyond the last key repeats it; the scores are not looked at.
  @inline(__always)
  static func halfPanel(_ panel: Int, _ half: Int, _ keys: Range<Int>) -> Range<Int> {
    let first = keys.lowerBound &+ panel &* PanelShape.width &+ half &* Vector.scalarCount
    let start = min(first, keys.upperBound &- 1)
    return start..<min(start &+ Vector.scalarCount, keys.upperBound)
  }

  @inline(__always)
  private static func packValues(
    _ task: AttentionTask, _ keys: Range<Int>, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    for panel in 0..<blocks.depthPanels {
      var target = unsafe workspace + blocks.valuePanel(panel)
      for key in keys {
        unsafe target.store(value(task, key, panel, half: 0), at: 0)
        unsafe target.store(value(task, key, panel, half: 1), at: Vector.scalarCount)
        unsafe target += PanelShape.width
      }
    }
  }

  /// Half a panel's width of a key's value; zeros beyond the head's elements.
  @inline(__always)
  static func value(_ task: AttentionTask, _ key: Int, _ panel: Int, half: Int) -> Vector {
    let first = panel &* PanelShape.width &+ half &* Vector.scalarCount
    let count = unsafe min(Vector.scalarCount, task.depth &- first)
    return count > 0 ? unsafe (task.value + (key &* task.stride &+ first)).prefix(count) : .zero
  }

  /// Scales a query's sums to a new maximum.
  @inline(__always)
  private static func scale(
    _ line: Int, of rows: Range<Int>, by factor: Float, _ blocks: AttentionBlocks,
    _ workspace: UnsafeMutablePointer<Float>
  ) {
    for panel in 0..<blocks.depthPanels {
      let sums = unsafe workspace + (tile(panel, rows, blocks) &+ line &* PanelShape.width)
      unsafe sums.store(sums.vector(at: 0) * factor, at: 0)
      unsafe sums.store(sums.vector(at: Vector.scalarCount) * factor, at: Vector.scalarCount)
    }
  }

  /// Divides by the sums of the weights.
  @inline(__always)
  private static func finish(
    _ task: AttentionTask, _ queries: Range<Int>, _ blocks: AttentionBlocks, _ workspace: UnsafeMutablePointer<Float>
  ) {
    for block in 0..<blocks.queryBlocks {
      let rows = blocks.rows(block)
      for row in rows {
        let inverse = unsafe 1 / workspace[blocks.totals &+ row]
        let target = unsafe task.target + (queries.lowerBound &+ row) &* task.stride
        for panel in 0..<blocks.depthPanels {
          let sums = unsafe workspace + (tile(panel, rows, blocks) &+ (row &- rows.lowerBound) &* PanelShape.width)
          for half in 0..<2 {
            let first = panel &* PanelShape.width &+ half &* Vector.scalarCount
            guard first < blocks.depth else { break }
            unsafe (target + first).storePrefix(
              sums.vector(at: half &* Vector.scalarCount) * inverse, min(blocks.depth &- first, Vector.scalarCount))
          }
        }
      }
    }
  }
}
