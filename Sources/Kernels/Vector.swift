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

extension UnsafePointer<Float> {
  /// The first `count` elements, and zeros if these are fewer than a register holds: nothing beyond is touched.
  @inline(__always)
  func prefix(_ count: Int) -> Vector {
    if count >= Vector.scalarCount { return unsafe vector(at: 0) }
    var result = Vector.zero
    for lane in 0..<count { unsafe result[lane] = self[lane] }
    return result
  }
}

extension UnsafeMutablePointer<Float> {
  /// Writes the first `count` elements, at most a register.
  @inline(__always)
  func storePrefix(_ vector: Vector, _ count: Int) {
    if count >= Vector.scalarCount {
      unsafe store(vector, at: 0)
    } else {
      for lane in 0..<count { unsafe self[lane] = vector[lane] }
    }
  }
}

/// Copies some elements, in the loop that the call of a library would cost for rows this short.
@inline(__always)
func copy(_ count: Int, _ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
  var index = 0
  while index &+ Vector.scalarCount <= count {
    unsafe target.store(source.vector(at: index), at: index)
    index &+= Vector.scalarCount
  }
  if index < count { unsafe (target + index).storePrefix((source + index).prefix(count &- index), count &- index) }
}
