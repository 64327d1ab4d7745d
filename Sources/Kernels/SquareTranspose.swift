internal import CProcessor

/// Some vectors, in registers: one, or two blocks above each other. Like ``RowBlock`` it grows by composition, so that
/// inlining alone unrolls what is done with it.
protocol VectorBlock {
  /// The vectors numbered from `first` on.
  init(from first: Int, _ vector: (Int) -> Vector)
  /// Calls `body` with the number of each vector, counted from `first`, and the vector.
  func forEach(from first: Int, _ body: (Int, Vector) -> Void)
  /// Every vector of this block interleaved with its counterpart of `other`: twice as many vectors.
  func interleaved(with other: Self) -> VectorPair<Self>
  /// How many vectors.
  static var count: Int { get }
}

/// A block of one vector.
struct SingleVector: VectorBlock {
  fileprivate let vector: Vector

  @inline(__always) static var count: Int { 1 }

  @inline(__always)
  init(_ vector: Vector) { self.vector = vector }

  @inline(__always)
  init(from first: Int, _ vector: (Int) -> Vector) { self.vector = vector(first) }

  @inline(__always)
  func forEach(from first: Int, _ body: (Int, Vector) -> Void) { body(first, vector) }

  @inline(__always)
  func interleaved(with other: SingleVector) -> VectorPair<SingleVector> {
    VectorPair(
      SingleVector(vector_interleave_low(vector, other.vector)),
      SingleVector(vector_interleave_high(vector, other.vector)))
  }
}

/// Two blocks.
struct VectorPair<Half: VectorBlock>: VectorBlock {
  fileprivate let upper: Half
  fileprivate let lower: Half

  @inline(__always) static var count: Int { 2 &* Half.count }

  @inline(__always)
  init(_ upper: Half, _ lower: Half) { (self.upper, self.lower) = (upper, lower) }

  @inline(__always)
  init(from first: Int, _ vector: (Int) -> Vector) {
    (upper, lower) = (Half(from: first, vector), Half(from: first &+ Half.count, vector))
  }

  @inline(__always)
  func forEach(from first: Int, _ body: (Int, Vector) -> Void) {
    upper.forEach(from: first, body)
    lower.forEach(from: first &+ Half.count, body)
  }

  @inline(__always)
  func interleaved(with other: VectorPair<Half>) -> VectorPair<VectorPair<Half>> {
    VectorPair<VectorPair<Half>>(upper.interleaved(with: other.upper), lower.interleaved(with: other.lower))
  }

  /// The upper half interleaved with the lower one: the perfect shuffle of a deck of cards. As many of them as the
  /// number of elements has bits exchange rows and columns.
  @inline(__always)
  func shuffled() -> VectorPair<Half> { upper.interleaved(with: lower) }
}

typealias TwoVectors = VectorPair<SingleVector>
typealias FourVectors = VectorPair<TwoVectors>
typealias EightVectors = VectorPair<FourVectors>
typealias SixteenVectors = VectorPair<EightVectors>

/// Transposes a square of as many vectors as a vector has elements.
///
/// - Parameters:
///   - row: the row of a number.
///   - body: receives each column and its number, in order.
@inline(__always)
func transposeSquare(_ row: (Int) -> Vector, _ body: (Int, Vector) -> Void) {
  // Constant: the size of a register.
  switch Vector.scalarCount {
  case 4: FourVectors(from: 0, row).shuffled().shuffled().forEach(from: 0, body)
  case 8: EightVectors(from: 0, row).shuffled().shuffled().shuffled().forEach(from: 0, body)
  default: SixteenVectors(from: 0, row).shuffled().shuffled().shuffled().shuffled().forEach(from: 0, body)
  }
}
