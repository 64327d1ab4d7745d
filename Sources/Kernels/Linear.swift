package import KernelInterface

/// `x · Wᵀ` over weights in the type of their file.
///
/// A group of columns is expanded to fp32 and transposed into column panels that stay in the second-level cache, and multiplied with
/// all rows of the part, a row panel at a time. A stretch of the summed index is at most ``PanelShape/depth`` long; when it takes
/// several, sums wait in memory between them. Each weight is expanded once per part, each input copied once per
/// group, both next to hundreds of multiplications.
extension VectorKernels {
  package static func linearWorkspace(rows: Int, columns: Int, depth: Int) -> Int {
    linearBlocks(rows: rows, columns: columns, depth: depth, isGated: true).workspace
  }

  package static func linear(
    _ task: LinearTask, rows: Range<Int>, columns: Range<Int>, next: Range<Int>?,
    workspace: UnsafeMutablePointer<Float>
  ) {
    switch unsafe task.format {
    case .float32: unsafe multiply(Float32Element.self, task, rows, columns, next, workspace)
    case .float16: unsafe multiply(Float16Element.self, task, rows, columns, next, workspace)
    case .bfloat16: unsafe multiply(BFloat16Element.self, task, rows, columns, next, workspace)
    }
  }

  @inline(never)
  private static func multiply<Element: StoredElement>(
    _: Element.Type, _ task: LinearTask, _ rows: Range<Int>, _ columns: Range<Int>, _ next: Range<Int>?,
    _ workspace: UnsafeMutablePointer<Float>
  ) {
    let blocks = unsafe linearBlocks(
      rows: rows.count, columns: columns.count, depth: task.depth, isGated: task.isGated)
    let columnPanels = unsafe workspace + PanelShape.rows &* PanelShape.rowStride
    let sums = unsafe columnPanels + blocks.groupPanels &* blocks.columnPanelFloats
    for group in 0..<blocks.groups {
      let panels = blocks.panels(group)
      for stretch in 0..<blocks.stretches {
        let steps = blocks.steps(stretch)
        for panel in panels {
          unsafe packColumns(
            Element.self, task, blocks.columns(panel, from: columns.lowerBound), steps,
            into: columnPanels + (panel &- panels.lowerBound) &* blocks.columnPanelFloats)
        }
        let weights = unsafe nextWeights(Element.self, task, blocks, columns, next, group, stretch)
        var gates = unsafe weights
        unsafe gates.base += weights.stride &* task.columns
        if unsafe !task.isGated { unsafe gates.count = 0 }
        var ahead = unsafe ReadAhead(
          weights: weights, gates: gates,
          inputs: ReadAhead.Rows(base: task.source, count: 0, stride: 4 &* task.depth, byteWidth: 4))
        for block in 0..<blocks.rowBlocks {
          let blockRows = blocks.rows(block)
          unsafe copyRows(
            task, rows.lowerBound &+ blockRows.lowerBound..<rows.lowerBound &+ blockRows.upperBound, steps,
            into: workspace)
          unsafe ahead.inputs.base = UnsafeRawPointer(
            task.source + ((rows.lowerBound &+ blockRows.upperBound) &* task.depth &+ steps.lowerBound))
          unsafe ahead.inputs.count = block &+ 1 < blocks.rowBlocks ? blocks.rowShare : 0
          for panel in panels {
            let member = panel &- panels.lowerBound
            let part = blocks.columns(panel, from: columns.lowerBound)
            let target = unsafe TileTarget(
              base: task.target, stride: task.columns, row: rows.lowerBound &+ blockRows.lowerBound,
              column: part.lowerBound, rows: blockRows.count, columns: part.count)
            let isLast = stretch == blocks.stretches &- 1
            if isLast { unsafe target.prefetch() }
            let tile = unsafe sums + blocks.tileOffset(block, member)
            unsafe multiplyTile(
              rows: blockRows.count, depth: steps.count, workspace,
              columnPanels + member &* blocks.columnPanelFloats, into: tile, isContinued: stretch > 0, ahead: ahead)
            unsafe ahead.advance()
            guard isLast else { continue }
            if unsafe task.isGated {
              unsafe finishGatedTile(tile, task.epilogue, target)
            } else {
              unsafe finishTile(tile, task.epilogue, target)
            }
          }
        }
      }
    }
  }

  /// Stretches are cut at multiples of 16, a cache line, so that inputs are asked for by whole lines.
  @inline(__always)
  private static func linearBlocks(rows: Int, columns: Int, depth: Int, isGated: Bool) -> ProductBlocks {
    ProductBlocks(rows: rows, columns: columns, steps: depth, granularity: 16, isGated: isGated)
  }

  /// What the first tile of a group and stretch asks for: the weights that are expanded after it.
  @inline(__always)
  private static func nextWeights<Element: StoredElement>(
    _: Element.Type, _ task: LinearTask, _ blocks: ProductBlocks, _ columns: Range<Int>, _ next: Range<Int>?,
    _ group: Int, _ stretch: Int
  ) -> ReadAhead.Rows {
    let isLastStretch = stretch &+ 1 == blocks.stretches
    let nextGroup = isLastStretch ? group &+ 1 : group
    var rows = unsafe ReadAhead.Rows(
      base: task.weight, count: 0, stride: task.depth &* Element.byteWidth, byteWidth: Element.byteWidth)
    let expanded: Range<Int>
    if nextGroup < blocks.groups {
      expanded = blocks.columns(blocks.panels(nextGroup), from: columns.lowerBound)
    } else if let next {
      // A part like this one: its first group.
      expanded = blocks.columns(blocks.panels(0), from: next.lowerBound).clamped(to: next)
    } else {
      return unsafe rows
    }
    let tiles = blocks.rowBlocks &* blocks.panels(group).count
    let step = blocks.steps(isLastStretch ? 0 : stretch &+ 1).lowerBound
    unsafe rows.base += expanded.lowerBound &* rows.stride &+ step &* Element.byteWidth
    unsafe rows.count = (expanded.count &+ tiles &- 1) / tiles
    return unsafe rows
  }

  /// Copies some rows' stretch into a row panel.
  @inline(__always)
  private static func copyRows(
    _ task: LinearTask, _ rows: Range<Int>, _ steps: Range<Int>, into panel: UnsafeMutablePointer<Float>
  ) {
    var target = unsafe panel
    for row in rows {
      let offset = unsafe row &* task.depth &+ steps.lowerBound
      unsafe copy(steps.count, task.source + offset, to: target)
      unsafe target += PanelShape.rowStride
    }
  }

  /// Expands one column panel: two halves of a register each, which in a gated layer are values and gates.
  @inline(__always)
  private static func packColumns<Element: StoredElement>(
    _: Element.Type, _ task: LinearTask, _ columns: Range<Int>, _ steps: Range<Int>,
    into panel: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    let source = unsafe StoredRows<Element>(task.weight, stride: task.depth)
    let middle = min(columns.lowerBound &+ lanes, columns.upperBound)
    unsafe packTransposed(source, rows: columns.lowerBound..<middle, steps: steps, into: panel)
    if unsafe task.isGated {
      let gates = unsafe columns.lowerBound &+ task.columns..<columns.upperBound &+ task.columns
      unsafe packTransposed(source, rows: gates, steps: steps, into: panel + lanes)
    } else if middle < columns.upperBound {
      unsafe packTransposed(source, rows: middle..<columns.upperBound, steps: steps, into: panel + lanes)
    } else {
      // The right half of the last panel is not used, but what is multiplied must be numbers that cost nothing:
      // denormal ones would take a hundred cycles each.
      for step in 0..<steps.count { unsafe panel.store(.zero, at: step &* PanelShape.width &+ lanes) }
    }
  }
}
