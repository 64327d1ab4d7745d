/// Eight numbers at a time.
///
/// The compiler turns eight lanes into two registers on a baseline x86-64 or arm64 and into one where AVX may be
/// used; the source stays the same. Two rules keep it that way: no fused multiply-add (`addProduct` is a function
/// call per lane on a baseline x86-64), and nothing that the compiler takes apart lane by lane (`rounded()`,
/// conversions between integers and floats, `pointwiseMax`).
typealias Lanes = SIMD8<Float>

extension UnsafePointer<Float> {
  /// Eight elements from `index` on.
  @inline(__always)
  func lanes(at index: Int) -> Lanes {
    unsafe UnsafeRawPointer(self + index).loadUnaligned(as: Lanes.self)
  }
}

extension UnsafeMutablePointer<Float> {
  /// Eight elements from `index` on.
  @inline(__always)
  func lanes(at index: Int) -> Lanes {
    unsafe UnsafeRawPointer(self + index).loadUnaligned(as: Lanes.self)
  }

  /// Writes eight elements from `index` on.
  @inline(__always)
  func store(_ lanes: Lanes, at index: Int) {
    unsafe UnsafeMutableRawPointer(self + index).storeBytes(of: lanes, as: Lanes.self)
  }
}

extension Lanes {
  /// The larger of each pair; `self` where either is NaN.
  @inline(__always)
  func larger(_ other: Lanes) -> Lanes { replacing(with: other, where: other .> self) }

  /// The smaller of each pair; `self` where either is NaN.
  @inline(__always)
  func smaller(_ other: Lanes) -> Lanes { replacing(with: other, where: other .< self) }
}

/// `target[i] = f(source[i])` for `count` elements; the two may be the same memory.
@inline(__always)
func mapLanes(
  _ count: Int, _ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, _ f: (Lanes) -> Lanes
) {
  unsafe mapLanes(count, source, source, into: target) { x, _ in f(x) }
}

/// `target[i] = f(a[i], b[i])` for `count` elements; memory may be shared.
///
/// The last few elements go through the same function in a partly filled vector, so that an element's value does
/// not depend on where in a row it stands.
@inline(__always)
func mapLanes(
  _ count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>,
  _ f: (Lanes, Lanes) -> Lanes
) {
  var index = 0
  while index &+ 8 <= count {
    unsafe target.store(f(a.lanes(at: index), b.lanes(at: index)), at: index)
    index &+= 8
  }
  guard index < count else { return }
  var (x, y) = (Lanes.zero, Lanes.zero)
  for lane in 0..<count - index {
    unsafe x[lane] = a[index + lane]
    unsafe y[lane] = b[index + lane]
  }
  let result = f(x, y)
  for lane in 0..<count - index { unsafe target[index + lane] = result[lane] }
}
