/// Another device with a stopwatch: what each operation of a network takes, by kind and shape.
///
/// Operations are timed on the thread that calls them, so a network must run on one thread at a time; that costs a reading of the
/// clock and a look into a table a call, some microseconds.
///
/// Unchecked: the table is touched under `mutex` alone.
public final class ProfilingDevice: Device, @unchecked Sendable {
  /// One kind of operation at one shape.
  public struct Layer: Sendable {
    /// What it does, and to which shapes.
    public let name: String
    /// Multiply-accumulates of one call; 0 for what is bound by memory.
    public let work: Int
    /// What each call took.
    public fileprivate(set) var seconds: [Double] = []
    /// What all threads together computed meanwhile, call by call.
    public fileprivate(set) var processorSeconds: [Double] = []
  }

  private let base: any Device
  private var layers: [String: Layer] = [:]
  private let mutex = PthreadMutex()

  /// - Parameter base: does the work.
  public init(_ base: any Device) { self.base = base }

  /// What was called since the last time, in no order.
  public func takeLayers() -> [Layer] {
    mutex.withLock {
      defer { layers = [:] }
      return Array(layers.values)
    }
  }

  private func time(_ name: String, _ work: Int = 0, _ body: () throws -> Tensor) rethrows -> Tensor {
    let clock = ContinuousClock()
    let (start, computed) = (clock.now, ProcessorTime.seconds)
    let result = try body()
    let (elapsed, used) = ((clock.now - start) / .seconds(1), ProcessorTime.seconds - computed)
    mutex.withLock {
      layers[name, default: Layer(name: name, work: work)].seconds.append(elapsed)
      layers[name]?.processorSeconds.append(used)
    }
    return result
  }

  /// The base's.
  public func linearWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> LinearWeights
  {
    try base.linearWeights(weight, bias: bias, arithmetic)
  }

  /// The base's.
  public func linearWeights(_ weight: QuantizedParameter, bias: Parameter?) throws -> LinearWeights {
    try base.linearWeights(weight, bias: bias)
  }

  /// The base's.
  public func conv2DWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> Conv2DWeights
  {
    try base.conv2DWeights(weight, bias: bias, arithmetic)
  }

  /// The base's.
  public func vector(_ parameter: Parameter) throws -> Tensor { try base.vector(parameter) }

  /// By rows, outputs, inputs and activation.
  public func linear(_ x: Tensor, _ weights: LinearWeights, activation: Activation, residual: Tensor?) throws
    -> Tensor
  {
    let rows = x.count / weights.inFeatures
    var name = "linear \(rows)×\(weights.outFeatures)×\(weights.inFeatures)"
    if activation != .none { name += ", \(activation)" }
    return try time(name, rows * weights.inFeatures * weights.outFeatures) {
      try base.linear(x, weights, activation: activation, residual: residual)
    }
  }

  /// By size of the result, inputs and outputs, and what comes before.
  public func conv2D(
    _ x: Tensor, normalization: GroupNormalization?, _ weights: Conv2DWeights, _ geometry: Conv2DGeometry,
    channelAddend: Tensor?, residual: Tensor?
  ) throws -> Tensor {
    let window = ConvolutionWindow(
      x.shape, kernelHeight: weights.kernelHeight, kernelWidth: weights.kernelWidth, geometry)
    var name = "conv \(weights.kernelHeight)×\(weights.kernelWidth)"
    name += " \(window.outHeight)×\(window.outWidth) \(weights.inChannels)→\(weights.outChannels)"
    if geometry.stride != 1 { name += ", stride \(geometry.stride)" }
    if geometry.resizedHeight != nil { name += ", upsampled" }
    if normalization != nil { name += ", after group norm" }
    let work = x.shape[0] * window.outHeight * window.outWidth * weights.outChannels * window.depth
    return try time(name, work) {
      try base.conv2D(
        x, normalization: normalization, weights, geometry, channelAddend: channelAddend, residual: residual)
    }
  }

  /// By shape.
  public func groupNorm(_ x: Tensor, _ normalization: GroupNormalization) throws -> Tensor {
    try time("group norm \(Self.text(x))") { try base.groupNorm(x, normalization) }
  }

  /// By shape.
  public func layerNorm(_ x: Tensor, epsilon: Float, scale: Tensor, bias: Tensor) throws -> Tensor {
    try time("layer norm \(Self.text(x))") { try base.layerNorm(x, epsilon: epsilon, scale: scale, bias: bias) }
  }

  /// By queries, keys and heads.
  public func attention(
    query: Tensor, keys: [Tensor], values: [Tensor], heads: Int, causal: Bool, _ arithmetic: LayerArithmetic
  ) throws
    -> Tensor
  {
    let shape = AttentionShape(query, keys, values, heads: heads, causal: causal)
    return try time(
      "attention \(shape.queries)×\(shape.keys), \(heads) of \(shape.depth)", 2 * query.count * shape.keys
    ) {
      try base.attention(query: query, keys: keys, values: values, heads: heads, causal: causal, arithmetic)
    }
  }

  /// One row an id.
  public func embedding(_ ids: [[Int32]], table: Parameter) throws -> Tensor {
    try time("embedding") { try base.embedding(ids, table: table) }
  }

  /// By shapes.
  public func concatenate(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    try time("concatenate \(Self.text(a)) + \(b.shape.last ?? 0)") { try base.concatenate(a, b) }
  }

  /// By size of the result.
  public func upsampleNearest(_ x: Tensor, height: Int, width: Int) throws -> Tensor {
    try time("upsample \(Self.text(x)) to \(height)×\(width)") {
      try base.upsampleNearest(x, height: height, width: width)
    }
  }

  /// By shape.
  public func activate(_ x: Tensor, _ activation: Activation) throws -> Tensor {
    try time("\(activation) \(Self.text(x))") { try base.activate(x, activation) }
  }

  /// By shape.
  public func combine(_ a: Float, _ x: Tensor, _ b: Float, _ y: Tensor) throws -> Tensor {
    try time("combine \(Self.text(x))") { try base.combine(a, x, b, y) }
  }

  /// By shape.
  public func addBroadcast(_ x: Tensor, _ y: Tensor) throws -> Tensor {
    try time("add \(Self.text(x))") { try base.addBroadcast(x, y) }
  }

  private static func text(_ x: Tensor) -> String { x.shape.map(String.init).joined(separator: "×") }
}
