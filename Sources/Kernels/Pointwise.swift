internal import CProcessor
package import KernelInterface

extension VectorKernels {
  package static func map(
    _ function: PointwiseFunction, _ count: Int, _ source: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>
  ) {
    switch function {
    case .identity: unsafe each(count, source, source, into: target) { x, _ in x }
    case .silu: unsafe each(count, source, source, into: target) { x, _ in sigmoidLinearUnit(x) }
    case .gelu: unsafe each(count, source, source, into: target) { x, _ in gaussianErrorLinearUnit(x) }
    case .quickGELU: unsafe each(count, source, source, into: target) { x, _ in quickGaussianErrorLinearUnit(x) }
    }
  }

  package static func combine(
    _ count: Int, _ a: Float, _ x: UnsafePointer<Float>, _ b: Float, _ y: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>
  ) {
    unsafe each(count, x, y, into: target) { x, y in vector_multiply_add(x, Vector(repeating: a), y * b) }
  }

  package static func add(
    _ count: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
  ) {
    unsafe each(count, x, y, into: target) { x, y in x + y }
  }

  /// The last few elements go through the same function in a partly filled register.
  @inline(__always)
  private static func each(
    _ count: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>,
    _ function: (Vector, Vector) -> Vector
  ) {
    var index = 0
    while index &+ Vector.scalarCount <= count {
      unsafe target.store(function(x.vector(at: index), y.vector(at: index)), at: index)
      index &+= Vector.scalarCount
    }
    guard index < count else { return }
    let rest = count &- index
    unsafe (target + index).storePrefix(function((x + index).prefix(rest), (y + index).prefix(rest)), rest)
  }
}
