internal import CProcessor
internal import KernelInterface

/// Sums of one register of outputs over the pixels of a tile: in fp32, since they are few, and added to those of the block in double.
struct PixelMoments {
  private var shift: Vector
  /// Two sums of each kind: one would wait for itself at every pixel.
  private var (even, odd) = (Vector.zero, Vector.zero)
  private var (evenSquare, oddSquare) = (Vector.zero, Vector.zero)
  /// Whether the next pixel is the block's first.
  private var isFirst: Bool

  /// - Parameter first: the register's first output.
  @inline(__always)
  init(_ moments: WinogradMoments, at first: Int, isFirst: Bool) {
    shift = unsafe moments.shifts.vector(at: first)
    self.isFirst = isFirst
  }

  @inline(__always)
  private mutating func begin(_ pixel: Vector) {
    guard isFirst else { return }
    shift = pixel
    isFirst = false
  }

  @inline(__always)
  mutating func add(_ pixel: Vector) {
    begin(pixel)
    let deviation = pixel - shift
    even += deviation
    evenSquare = vector_multiply_add(deviation, deviation, evenSquare)
  }

  /// Four pixels.
  @inline(__always)
  mutating func add(_ a: Vector, _ b: Vector, _ c: Vector, _ d: Vector) {
    begin(a)
    let (x, y, z, w) = (a - shift, b - shift, c - shift, d - shift)
    even += x + y
    odd += z + w
    evenSquare = vector_multiply_add(x, x, vector_multiply_add(z, z, evenSquare))
    oddSquare = vector_multiply_add(y, y, vector_multiply_add(w, w, oddSquare))
  }

  /// Adds the tile's sums to the block's.
  @inline(__always)
  func add(to moments: WinogradMoments, at first: Int) {
    unsafe moments.shifts.store(shift, at: first)
    unsafe vector_add_to_doubles(moments.sums + first, even + odd)
    unsafe vector_add_to_doubles(moments.squares + first, evenSquare + oddSquare)
  }
}
