internal import CProcessor

/// One tile: `sums[rows, width] (+)= a[rows, depth] · b[depth, width]`, the three shaped as ``PanelShape`` says; the sums lie
/// row after row.
///
/// The order of the additions does not depend on the height, so a row's sums do not depend on its neighbours.
///
/// - Parameters:
///   - rows: 1 to ``PanelShape/rows``.
///   - a: a row panel.
///   - b: a column panel.
///   - isContinued: whether the products are added to what `sums` holds.
///   - ahead: what is asked for meanwhile.
@inline(__always)
func multiplyTile(
  rows: Int, depth: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>,
  isContinued: Bool, ahead: ReadAhead = unsafe .nothing
) {
  switch rows {
  case 1: unsafe multiply(OneRow.self, depth, a, b, sums, isContinued, ahead)
  case 2: unsafe multiply(TwoRows.self, depth, a, b, sums, isContinued, ahead)
  case 3: unsafe multiply(ThreeRows.self, depth, a, b, sums, isContinued, ahead)
  case 4: unsafe multiply(FourRows.self, depth, a, b, sums, isContinued, ahead)
  case 5: unsafe multiply(Stacked<FourRows, OneRow>.self, depth, a, b, sums, isContinued, ahead)
  case 6: unsafe multiply(Stacked<FourRows, TwoRows>.self, depth, a, b, sums, isContinued, ahead)
  default:
    // Constant: sets with fewer registers have no code for what follows.
    guard PanelShape.rows > 6 else { return }
    switch rows {
    case 7: unsafe multiply(SevenRows.self, depth, a, b, sums, isContinued, ahead)
    case 8: unsafe multiply(Stacked<FourRows, FourRows>.self, depth, a, b, sums, isContinued, ahead)
    case 9: unsafe multiply(Stacked<SevenRows, TwoRows>.self, depth, a, b, sums, isContinued, ahead)
    case 10: unsafe multiply(Stacked<SevenRows, ThreeRows>.self, depth, a, b, sums, isContinued, ahead)
    case 11: unsafe multiply(Stacked<SevenRows, FourRows>.self, depth, a, b, sums, isContinued, ahead)
    case 12: unsafe multiply(Stacked<SevenRows, Stacked<FourRows, OneRow>>.self, depth, a, b, sums, isContinued, ahead)
    case 13: unsafe multiply(Stacked<SevenRows, Stacked<FourRows, TwoRows>>.self, depth, a, b, sums, isContinued, ahead)
    default: unsafe multiply(Stacked<SevenRows, SevenRows>.self, depth, a, b, sums, isContinued, ahead)
    }
  }
}

@inline(never)
private func multiply<Block: RowBlock>(
  _: Block.Type, _ depth: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
  _ sums: UnsafeMutablePointer<Float>, _ isContinued: Bool, _ ahead: ReadAhead
) {
  var block = unsafe isContinued ? Block(from: sums) : Block()
  var b = unsafe b
  var k = 0
  while k < depth {
    unsafe ahead.touch(k)
    let end = unsafe min(k &+ ReadAhead.interval, depth)
    while k < end {
      unsafe block.add(a + k, b.vector(at: 0), b.vector(at: Vector.scalarCount))
      unsafe b += PanelShape.width
      k &+= 1
    }
  }
  unsafe block.store(to: sums)
}
