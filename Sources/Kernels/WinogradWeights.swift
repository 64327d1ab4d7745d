internal import CProcessor
package import KernelInterface

/// Kernels to frequencies. A kernel is nine numbers side by side; outputs belong in the lanes: so the numbers are transposed
/// first, a square of registers at a time.
extension VectorKernels {
  package static func winogradWeights(
    _ kernels: UnsafeRawPointer, _ format: WeightFormat, inputs: Int, outputs: Range<Int>, channels: Range<Int>,
    quarter: WinogradQuarter?, scratch: UnsafeMutablePointer<Float>, into weights: UnsafeMutablePointer<Float>,
    frequencyStride: Int
  ) {
    switch format {
    case .float32:
      unsafe transform(
        StoredRows<Float32Element>(kernels, stride: 9 &* inputs), outputs, channels, quarter, scratch, weights,
        frequencyStride)
    case .float16:
      unsafe transform(
        StoredRows<Float16Element>(kernels, stride: 9 &* inputs), outputs, channels, quarter, scratch, weights,
        frequencyStride)
    case .bfloat16:
      unsafe transform(
        StoredRows<BFloat16Element>(kernels, stride: 9 &* inputs), outputs, channels, quarter, scratch, weights,
        frequencyStride)
    }
  }

  @inline(never)
  private static func transform<Element: StoredElement>(
    _ source: StoredRows<Element>, _ outputs: Range<Int>, _ channels: Range<Int>,
    _ quarter: WinogradQuarter?, _ scratch: UnsafeMutablePointer<Float>, _ weights: UnsafeMutablePointer<Float>,
    _ frequencyStride: Int
  ) {
    let lanes = Vector.scalarCount
    let start = 9 &* channels.lowerBound
    var half = 0
    while half < 2 {
      unsafe transpose(
        source, first: outputs.lowerBound &+ half &* lanes, last: outputs.upperBound &- 1,
        steps: start..<9 &* channels.upperBound
      ) { element, column in
        unsafe scratch.store(column, at: (element &- start) &* lanes)
      }
      var channel = 0
      while channel < channels.count {
        let kernel = unsafe scratch + 9 &* channel &* lanes
        let target = unsafe weights + (channel &* PanelShape.width &+ half &* lanes)
        if let quarter {
          unsafe transformKernel(kernel, into: target, stride: frequencyStride) { x0, x1, x2 in
            quarter.isLower ? WinogradMatrices.weights(x0, x1 + x2) : WinogradMatrices.weights(x0 + x1, x2)
          } _: { x0, x1, x2 in
            quarter.isRight ? WinogradMatrices.weights(x0, x1 + x2) : WinogradMatrices.weights(x0 + x1, x2)
          }
        } else {
          unsafe transformKernel(
            kernel, into: target, stride: frequencyStride, WinogradMatrices.weights, WinogradMatrices.weights)
        }
        channel &+= 1
      }
      half &+= 1
    }
  }

  /// What one dimension of a kernel becomes.
  private typealias KernelTransform = (Vector, Vector, Vector) -> (Vector, Vector, Vector, Vector, Vector, Vector)

  /// One kernel of one register of outputs to its 36 frequencies.
  @inline(__always)
  private static func transformKernel(
    _ kernel: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, stride: Int,
    _ columnTransform: KernelTransform, _ rowTransform: KernelTransform
  ) {
    let lanes = Vector.scalarCount
    unsafe withUnsafeTemporaryAllocation(of: Vector.self, capacity: 18) { vectors in
      guard let scratch = vectors.baseAddress else { return }
      let vertical = unsafe UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Float.self)
      var column = 0
      while column < 3 {
        let x = unsafe kernel + column &* lanes
        let y = unsafe columnTransform(x.vector(at: 0), x.vector(at: 3 &* lanes), x.vector(at: 6 &* lanes))
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
        let y = unsafe rowTransform(x.vector(at: 0), x.vector(at: lanes), x.vector(at: 2 &* lanes))
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
