/// Raw access for kernels.
///
/// A pointer is valid while the tensor lives. Kernels take it from a parameter, which the caller keeps alive for
/// the length of the call, or from the result that they return.
extension Tensor {
  /// The first element, for reading.
  var pointer: UnsafePointer<Float> { unsafe UnsafePointer(mutablePointer) }

  /// The first element, for the kernel that has allocated this tensor.
  var mutablePointer: UnsafeMutablePointer<Float> {
    guard let base = unsafe storage.elements.baseAddress else { preconditionFailure("a tensor without memory") }
    return unsafe base
  }
}
