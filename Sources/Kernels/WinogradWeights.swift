internal import CProcessor
internal import KernelInterface

/// Kernels to frequencies. A kernel is nine numbers side by side; outputs belong in the lanes: so the numbers are transposed
/// first, a square of registers at a time.
extension VectorKernels {
  package static func winogradWeights(
    _ kernels: UnsafePointer<Float>, stride: Int, inputs: Int, scratch: UnsafeMutablePointer<Float>,
    into weights: UnsafeMutablePointer<Float>, frequencyStride: Int
  ) {
    let lanes = Vector.scalarCount
    var first = 0
    while first < PanelShape.width {
      var element = 0
      while element < 9 &* inputs {
        let (row, column) = unsafe (kernels + (first &* stride &+ element), scratch + element &* lanes)
        transposeSquare { output in
          unsafe row.vector(at: output &* stride)
        } _: { index, outputs in
          unsafe column.store(outputs, at: index &* lanes)
        }
        element &+= lanes
      }
      var input = 0
      while input < inputs {
        unsafe transformKernel(
          scratch + 9 &* input &* lanes, into: weights + (input &* PanelShape.width &+ first), stride: frequencyStride)
        input &+= 1
      }
      first &+= lanes
    }
  }

  /// One kernel of one register of outputs to its 36 frequencies.
  @inline(__always)
  private static func transformKernel(
    _ kernel: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let lanes = Vector.scalarCount
    unsafe withUnsafeTemporaryAllocation(of: Vector.self, capacity: 18) { vectors in
      guard let scratch = vectors.baseAddress else { return }
      let vertical = unsafe UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Float.self)
      var column = 0
      while column < 3 {
        let x = unsafe kernel + column &* lanes
        let y = unsafe WinogradMatrices.weights(x.vector(at: 0), x.vector(at: 3 &* lanes), x.vector(at: 6 &* lanes))
        let out = unsafe vertical + column &* lanes
        unsafe out.store(y.0, at: 0)
        unsafe out.store(y.1, at: 3 &* lanes)
        unsafe out.store(y.2, at: 6 &* lanes)
        unsafe out.store(y.3, at: 9 &* lanes)
        unsafe out.store(y.4, at: 12 &* lanes)
        unsafe out.store(y.5, at: 15 &* lanes)
        column &+= 1
      }
      var row = 0
      while row < 6 {
        let x = unsafe vertical + 3 &* row &* lanes
        let y = unsafe WinogradMatrices.weights(x.vector(at: 0), x.vector(at: lanes), x.vector(at: 2 &* lanes))
        let out = unsafe target + 6 &* row &* stride
        unsafe out.store(y.0, at: 0)
        unsafe out.store(y.1, at: stride)
        unsafe out.store(y.2, at: 2 &* stride)
        unsafe out.store(y.3, at: 3 &* stride)
        unsafe out.store(y.4, at: 4 &* stride)
        unsafe out.store(y.5, at: 5 &* stride)
        row &+= 1
      }
    }
  }
}
