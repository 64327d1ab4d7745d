internal import CProcessor

/// One register of this instruction set: 4, 8 or 16 floats.
typealias Vector = float_vector

extension UnsafePointer<Float> {
  /// One register's worth of elements from `index` on; any alignment.
  @inline(__always)
  func vector(at index: Int) -> Vector {
    unsafe UnsafeRawPointer(self + index).loadUnaligned(as: Vector.self)
  }
}

extension UnsafeMutablePointer<Float> {
  /// One register's worth of elements from `index` on; any alignment.
  @inline(__always)
  func vector(at index: Int) -> Vector {
    unsafe UnsafeRawPointer(self + index).loadUnaligned(as: Vector.self)
  }

  /// Writes one register's worth of elements from `index` on; any alignment.
  @inline(__always)
  func store(_ vector: Vector, at index: Int) {
    unsafe UnsafeMutableRawPointer(self + index).storeBytes(of: vector, as: Vector.self)
  }
}
