internal import CProcessor

/// A kind of registers and how two of them are interleaved, element by element: their first halves, and their second halves.
protocol Interleaving {
  associatedtype Register
  static func low(_ a: Register, _ b: Register) -> Register
  static func high(_ a: Register, _ b: Register) -> Register
}

/// Registers of floats.
enum FloatInterleaving: Interleaving {
  @inline(__always) static func low(_ a: Vector, _ b: Vector) -> Vector { vector_interleave_low(a, b) }
  @inline(__always) static func high(_ a: Vector, _ b: Vector) -> Vector { vector_interleave_high(a, b) }
}

/// Registers of words of 16 bits, each 128 bits by themselves.
enum WordInterleaving: Interleaving {
  @inline(__always) static func low(_ a: word_vector, _ b: word_vector) -> word_vector {
    vector_interleave_words_low(a, b)
  }
  @inline(__always) static func high(_ a: word_vector, _ b: word_vector) -> word_vector {
    vector_interleave_words_high(a, b)
  }
}

/// Some vectors, in registers: one, or two blocks above each other. Like ``RowBlock`` it grows by composition, so that
/// inlining alone unrolls what is done with it.
protocol VectorBlock {
  associatedtype Register
  /// The vectors numbered from `first` on.
  init(from first: Int, _ vector: (Int) -> Register)
  /// Calls `body` with the number of each vector, counted from `first`, and the vector.
  func forEach(from first: Int, _ body: (Int, Register) -> Void)
  /// Every vector of this block interleaved with its counterpart of `other`: twice as many vectors.
  func interleaved(with other: Self) -> VectorPair<Self>
  /// How many vectors.
  static var count: Int { get }
}

/// A block of one vector.
struct SingleVector<Kind: Interleaving>: VectorBlock {
  fileprivate let vector: Kind.Register

  @inline(__always) static var count: Int { 1 }

  @inline(__always)
  init(_ vector: Kind.Register) { self.vector = vector }

  @inline(__always)
  init(from first: Int, _ vector: (Int) -> Kind.Register) { self.vector = vector(first) }

  @inline(__always)
  func forEach(from first: Int, _ body: (Int, Kind.Register) -> Void) { body(first, vector) }

  @inline(__always)
  func interleaved(with other: SingleVector) -> VectorPair<SingleVector> {
    VectorPair(
      SingleVector(Kind.low(vector, other.vector)),
      SingleVector(Kind.high(vector, other.vector)))
  }
}

/// Two blocks.
struct VectorPair<Half: VectorBlock>: VectorBlock {
  typealias Register = Half.Register
  fileprivate let upper: Half
  fileprivate let lower: Half

  @inline(__always) static var count: Int { 2 &* Half.count }

  @inline(__always)
  init(_ upper: Half, _ lower: Half) { (self.upper, self.lower) = (upper, lower) }

  @inline(__always)
  init(from first: Int, _ vector: (Int) -> Register) {
    (upper, lower) = (Half(from: first, vector), Half(from: first &+ Half.count, vector))
  }

  @inline(__always)
  func forEach(from first: Int, _ body: (Int, Register) -> Void) {
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

typealias TwoVectors<Kind: Interleaving> = VectorPair<SingleVector<Kind>>
typealias FourVectors<Kind: Interleaving> = VectorPair<TwoVectors<Kind>>
typealias EightVectors<Kind: Interleaving> = VectorPair<FourVectors<Kind>>
typealias SixteenVectors<Kind: Interleaving> = VectorPair<EightVectors<Kind>>

/// Transposes a square of as many vectors as a vector has elements.
///
/// - Parameters:
///   - row: the row of a number.
///   - body: receives each column and its number, in order.
@inline(__always)
func transposeSquare(_ row: (Int) -> Vector, _ body: (Int, Vector) -> Void) {
  typealias Kind = FloatInterleaving
  // Constant: the size of a register.
  switch Vector.scalarCount {
  case 4: FourVectors<Kind>(from: 0, row).shuffled().shuffled().forEach(from: 0, body)
  case 8: EightVectors<Kind>(from: 0, row).shuffled().shuffled().shuffled().forEach(from: 0, body)
  default: SixteenVectors<Kind>(from: 0, row).shuffled().shuffled().shuffled().shuffled().forEach(from: 0, body)
  }
}

/// Transposes squares of eight words, one for each 128 bits of a register.
///
/// - Parameters:
///   - row: the rows of a number, of all squares.
///   - body: receives the columns of a number, of all squares; in order.
@inline(__always)
func transposeWords(_ row: (Int) -> word_vector, _ body: (Int, word_vector) -> Void) {
  EightVectors<WordInterleaving>(from: 0, row).shuffled().shuffled().shuffled().forEach(from: 0, body)
}
