internal import CProcessor
package import KernelInterface

/// Kernels to frequencies. A kernel is nine numbers side by side; outputs belong in the lanes: so the numbers are transposed
/// first, a square of registers at a time.
extension VectorKernels {
  package static func winogradWeights(
    _ kernels: UnsafeRawPointer, _ format: WeightFormat, outputs: Range<Int>, channels: Range<Int>,
    held: Range<Int>, quarter: WinogradQuarter?, _ layout: WinogradLayout, scratch: UnsafeMutablePointer<Float>,
    into weights: UnsafeMutablePointer<Float>
  ) {
    switch format {
    case .float32:
      unsafe transform(
        StoredRows<Float32Element>(kernels, stride: 9 &* layout.inputs), outputs, channels, held, quarter, layout,
        scratch, weights)
    case .float16:
      unsafe transform(
        StoredRows<Float16Element>(kernels, stride: 9 &* layout.inputs), outputs, channels, held, quarter, layout,
        scratch, weights)
    case .bfloat16:
      unsafe transform(
        StoredRows<BFloat16Element>(kernels, stride: 9 &* layout.inputs), outputs, channels, held, quarter, layout,
        scratch, weights)
    }
  }

  @inline(never)
  private static func transform<Element: StoredElement>(
    _ source: StoredRows<Element>, _ outputs: Range<Int>, _ channels: Range<Int>, _ held: Range<Int>,
    _ quarter: WinogradQuarter?, _ layout: WinogradLayout, _ scratch: UnsafeMutablePointer<Float>,
    _ weights: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    let stride = layout.weightStride(channels: held.count)
    let first = channels.lowerBound &- held.lowerBound
    for half in 0..<2 {
      let rows = outputs.lowerBound &+ half &* lanes
      let target = unsafe weights + (layout.words(first) &* PanelShape.width &+ half &* lanes)
      guard layout.isRounded else {
        unsafe transform(
          source, first: rows, last: outputs.upperBound &- 1, channels, quarter, scratch, into: target,
          channelStride: PanelShape.width, frequencyStride: stride)
        continue
      }
      var channel = channels.lowerBound
      while channel < channels.upperBound {
        let part = channel..<min(channel &+ layout.stretch, channels.upperBound)
        let staging = unsafe scratch + 9 &* part.count &* lanes
        // A line more than the channels take, for the sake of the cache's sets.
        let stagingStride = part.count &* lanes &+ 16
        unsafe transform(
          source, first: rows, last: outputs.upperBound &- 1, part, quarter, scratch, into: staging,
          channelStride: lanes, frequencyStride: stagingStride)
        let before = channel &- held.lowerBound
        let scales = layout.weightScaleOffset(channel: before, channels: held.count) &+ half &* lanes
        unsafe roundWeights(
          staging, stride: stagingStride, channels: part.count,
          into: weights + (layout.words(before) &* PanelShape.width &+ half &* lanes), targetStride: stride,
          scales: weights + scales)
        channel = part.upperBound
      }
    }
  }

  /// Some channels of a register of outputs to frequencies.
  @inline(__always)
  private static func transform<Element: StoredElement>(
    _ source: StoredRows<Element>, first: Int, last: Int, _ channels: Range<Int>, _ quarter: WinogradQuarter?,
    _ scratch: UnsafeMutablePointer<Float>, into weights: UnsafeMutablePointer<Float>, channelStride: Int,
    frequencyStride: Int
  ) {
    let lanes = Vector.scalarCount
    let start = 9 &* channels.lowerBound
    unsafe transpose(source, first: first, last: last, steps: start..<9 &* channels.upperBound) { element, column in
      unsafe scratch.store(column, at: (element &- start) &* lanes)
    }
    var channel = 0
    while channel < channels.count {
      let kernel = unsafe scratch + 9 &* channel &* lanes
      let target = unsafe weights + channel &* channelStride
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
