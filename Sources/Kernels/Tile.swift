internal import CProcessor

/// One tile: `sums[rows, width] (+)= a[rows, depth] · b[depth, width]` in fp32, the three shaped as ``PanelShape`` says; the sums lie
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
  unsafe multiplyTile(
    PlainOutput<FloatArithmetic>(sums: sums, isContinued: isContinued), rows: rows, steps: depth, a,
    left: UnsafeRawPointer(b), right: UnsafeRawPointer(b + Vector.scalarCount), ahead: ahead)
}

/// One tile in the arithmetic of its output.
///
/// - Parameters:
///   - rows: 1 to the arithmetic's largest number.
///   - steps: of the summed index.
///   - left: a register of columns, and those of the next steps behind it.
///   - right: another.
@inline(__always)
func multiplyTile<Output: TileOutput>(
  _ output: Output, rows: Int, steps: Int, _ a: UnsafePointer<Output.Arithmetic.Element>, left: UnsafeRawPointer,
  right: UnsafeRawPointer, ahead: ReadAhead
) {
  typealias A = Output.Arithmetic
  @inline(__always)
  func run<Block: RowBlock>(_: Block.Type) where Block.Arithmetic == A {
    unsafe multiply(Block.self, output, steps, a, left, right, ahead)
  }
  switch rows {
  case 1: run(OneRow<A>.self)
  case 2: run(TwoRows<A>.self)
  case 3: run(ThreeRows<A>.self)
  case 4: run(FourRows<A>.self)
  case 5: run(Stacked<FourRows<A>, OneRow<A>>.self)
  case 6: run(Stacked<FourRows<A>, TwoRows<A>>.self)
  default:
    // Constant: sets with fewer registers have no code for what follows.
    guard A.rows > 6 else { return }
    switch rows {
    case 7: run(SevenRows<A>.self)
    case 8: run(Stacked<FourRows<A>, FourRows<A>>.self)
    case 9: run(Stacked<SevenRows<A>, TwoRows<A>>.self)
    case 10: run(Stacked<SevenRows<A>, ThreeRows<A>>.self)
    case 11: run(Stacked<SevenRows<A>, FourRows<A>>.self)
    case 12: run(Stacked<SevenRows<A>, Stacked<FourRows<A>, OneRow<A>>>.self)
    case 13: run(Stacked<SevenRows<A>, Stacked<FourRows<A>, TwoRows<A>>>.self)
    default: run(Stacked<SevenRows<A>, SevenRows<A>>.self)
    }
  }
}

@inline(never)
private func multiply<Block: RowBlock, Output: TileOutput>(
  _: Block.Type, _ output: Output, _ steps: Int, _ a: UnsafePointer<Block.Arithmetic.Element>,
  _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ ahead: ReadAhead
) where Output.Arithmetic == Block.Arithmetic {
  typealias Arithmetic = Block.Arithmetic
  var block = if let start = unsafe output.start { unsafe Block(from: start) } else { Block() }
  var (a, columns) = unsafe (a, left)
  let distance = unsafe right - left
  var step = 0
  while step < steps {
    unsafe ahead.touch(step)
    let end = unsafe min(step &+ ReadAhead.interval, steps)
    while step < end {
      unsafe block.add(a, Arithmetic.columns(columns), Arithmetic.columns(columns + distance))
      unsafe a += Arithmetic.step
      unsafe columns += Arithmetic.columnStep
      step &+= 1
    }
  }
  block.write(to: output, from: 0)
}
