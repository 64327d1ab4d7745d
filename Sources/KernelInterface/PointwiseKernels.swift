/// Elementwise functions. An element's result does not depend on where in a run it stands; source and target may be the same
/// memory.
package protocol PointwiseKernels: Sendable {
  /// `target[i] = function(source[i])`
  static func map(
    _ function: PointwiseFunction, _ count: Int, _ source: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>)

  /// `target[i] = a · x[i] + b · y[i]`
  static func combine(
    _ count: Int, _ a: Float, _ x: UnsafePointer<Float>, _ b: Float, _ y: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>)

  /// `target[i] = x[i] + y[i]`
  static func add(
    _ count: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>)
}
