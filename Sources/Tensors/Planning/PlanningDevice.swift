/// Runs a network with shapes alone: counts its work, and in a ``TensorArena`` that only plans, its memory.
///
/// Whatever a network does, in whatever order and with whatever lifetimes, is found out by letting it do so; there is
/// no second description of any network that could disagree with it. Results have the right shapes and arbitrary
/// elements.
///
/// Unchecked: the counters are touched under `mutex` alone.
public final class PlanningDevice: Device, @unchecked Sendable {
  private var counted = Work()
  private var expanded = 0
  private let mutex = PthreadMutex()

  /// A device that has counted nothing yet.
  public init() {}

  /// The work since the last call.
  public func takeWork() -> Work {
    mutex.withLock {
      defer { counted = Work() }
      return counted
    }
  }

  /// Bytes of weights that the product's device copies to memory of its own: biases and norms, expanded to fp32.
  public var privateWeightBytes: Int { mutex.withLock { expanded } }

  private struct NoWeights: Sendable {}

  private func count(_ kind: WritableKeyPath<Work, Int>, _ amount: Int) {
    mutex.withLock { counted[keyPath: kind] += amount }
  }

  /// Keeps the extents.
  public func linearWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> LinearWeights
  {
    try countExpansion(bias)
    return LinearWeights(inFeatures: weight.shape[1], outFeatures: weight.shape[0], packed: NoWeights())
  }

  /// Keeps the extents.
  public func linearWeights(_ weight: QuantizedParameter, bias: Parameter?) throws -> LinearWeights {
    try countExpansion(bias)
    return LinearWeights(inFeatures: weight.shape[1], outFeatures: weight.shape[0], packed: NoWeights())
  }

  /// Keeps the extents.
  public func conv2DWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> Conv2DWeights
  {
    try countExpansion(bias)
    return Conv2DWeights(weight, arithmetic, packed: NoWeights())
  }

  /// Zeros of the weight's shape: nothing of the file is read.
  public func vector(_ parameter: Parameter) throws -> Tensor {
    try countExpansion(parameter)
    return Tensor([Float](repeating: 0, count: parameter.count), shape: parameter.shape)
  }

  private func countExpansion(_ parameter: Parameter?) throws {
    guard let parameter else { return }
    mutex.withLock { expanded += parameter.count * MemoryLayout<Float>.stride }
  }

  /// rows · in · out.
  public func linear(_ x: Tensor, _ weights: LinearWeights, activation: Activation, residual: Tensor?) throws
    -> Tensor
  {
    precondition(x.shape.last == weights.inFeatures, "linear: x is \(x.shape)")
    count(\.linear, x.count * weights.outFeatures)
    let width = activation == .geglu ? weights.outFeatures / 2 : weights.outFeatures
    return Tensor(uninitialized: x.shape.dropLast() + [width])
  }

  /// pixels of the result · kernel · in · out. A normalised input takes memory where the product's device makes one.
  public func conv2D(
    _ x: Tensor, normalization: GroupNormalization?, _ weights: Conv2DWeights, _ geometry: Conv2DGeometry,
    channelAddend: Tensor?, residual: Tensor?
  ) throws -> Tensor {
    precondition(x.shape.count == 4 && x.shape[3] == weights.inChannels, "conv2D: x is \(x.shape)")
    let window = ConvolutionWindow(
      x.shape, kernelHeight: weights.kernelHeight, kernelWidth: weights.kernelWidth, geometry)
    let result = Tensor(uninitialized: [x.shape[0], window.outHeight, window.outWidth, weights.outChannels])
    if normalization != nil, !window.suitsWinograd(inputs: weights.inChannels) {
      _ = Tensor(uninitialized: x.shape)
    }
    count(\.convolution, result.count * weights.inChannels * weights.kernelHeight * weights.kernelWidth)
    return result
  }

  /// Another tensor of x's shape.
  public func groupNorm(_ x: Tensor, _ normalization: GroupNormalization) throws -> Tensor {
    Tensor(uninitialized: x.shape)
  }

  /// Another tensor of x's shape.
  public func layerNorm(_ x: Tensor, epsilon: Float, scale: Tensor, bias: Tensor) throws -> Tensor {
    Tensor(uninitialized: x.shape)
  }

  /// 2 · queries · keys · width.
  public func attention(
    query: Tensor, keys: [Tensor], values: [Tensor], heads: Int, causal: Bool, _ arithmetic: LayerArithmetic
  ) throws
    -> Tensor
  {
    count(\.attention, 2 * query.count * AttentionShape(query, keys, values, heads: heads, causal: causal).keys)
    return Tensor(uninitialized: query.shape)
  }

  /// One row an id.
  public func embedding(_ ids: [[Int32]], table: Parameter) throws -> Tensor {
    Tensor(uninitialized: [ids.count, ids.first?.count ?? 0, table.shape[1]])
  }

  /// The last extents together.
  public func concatenate(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    Tensor(uninitialized: a.shape.dropLast() + [(a.shape.last ?? 0) + (b.shape.last ?? 0)])
  }

  /// `[N, height, width, C]`.
  public func upsampleNearest(_ x: Tensor, height: Int, width: Int) throws -> Tensor {
    Tensor(uninitialized: [x.shape[0], height, width, x.shape[3]])
  }

  /// Another tensor of x's shape.
  public func activate(_ x: Tensor, _ activation: Activation) throws -> Tensor { Tensor(uninitialized: x.shape) }

  /// Another tensor of x's shape.
  public func combine(_ a: Float, _ x: Tensor, _ b: Float, _ y: Tensor) throws -> Tensor {
    Tensor(uninitialized: x.shape)
  }

  /// Another tensor of x's shape.
  public func addBroadcast(_ x: Tensor, _ y: Tensor) throws -> Tensor { Tensor(uninitialized: x.shape) }
}
