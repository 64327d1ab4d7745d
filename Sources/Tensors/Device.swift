/// The seam between what a network computes and how a machine computes it.
///
/// `CPUDevice` is the product; `ReferenceDevice` is the slow twin, one plain loop per operation, against which
/// every kernel is tested. Networks in `Diffusion` see only this protocol, so another backend is another
/// conformance and no branch in a network. Weights are packed by the device and opaque to everyone else: the
/// device owns their precision and layout.
///
/// Shapes are preconditions: the networks establish them when a checkpoint is loaded, so a violation is a bug,
/// not an input error. Operations throw what a device can suffer at run time (memory exhausted, an accelerator
/// lost). Fusion lives in parameters (bias, activation, residual, per-channel addend), not in separate passes.
public protocol Device: Sendable {
  // MARK: Weights

  /// Prepares a linear layer. `weight` is `[out, in]`, `bias` `[out]`.
  ///
  /// - Parameter arithmetic: what the device may multiply in; it may be more exact.
  func linearWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws -> LinearWeights
  /// Prepares a linear layer in int8: inputs are rounded too, each row by a scale of its own. `bias` is `[out]`.
  func linearWeights(_ weight: QuantizedParameter, bias: Parameter?) throws -> LinearWeights
  /// Prepares a convolution. `weight` is `[out, in, kh, kw]`, `bias` `[out]`.
  ///
  /// - Parameter arithmetic: what the device may multiply in; it may be more exact.
  func conv2DWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> Conv2DWeights
  /// Expands a small vector (a norm's scale, say) to fp32.
  func vector(_ parameter: Parameter) throws -> Tensor

  // MARK: Dense layers

  /// `activation(x · Wᵀ + b) + residual`: x `[…, in]` → `[…, out]`; `residual` has the result's shape.
  /// With `.geglu` the layer's `out` is 2D and the result is `[…, D]`: first half times gelu(second half).
  func linear(_ x: Tensor, _ weights: LinearWeights, activation: Activation, residual: Tensor?) throws -> Tensor
  /// 2-D convolution of x `[N, H, W, in]` → `[N, H', W', out]`, then `+ channelAddend[n, out] + residual`.
  ///
  /// With a `normalization`, x is normalised first, and padding adds zeros to the normalised map. Nearly all convolutions of these
  /// networks follow a group norm; told together, the normalised map need not exist.
  func conv2D(
    _ x: Tensor, normalization: GroupNormalization?, _ weights: Conv2DWeights, _ geometry: Conv2DGeometry,
    channelAddend: Tensor?, residual: Tensor?
  ) throws -> Tensor

  // MARK: Normalisation

  /// Normalises x `[N, H, W, C]`.
  func groupNorm(_ x: Tensor, _ normalization: GroupNormalization) throws -> Tensor
  /// Over the last dimension: x `[…, C]`, biased variance.
  func layerNorm(_ x: Tensor, epsilon: Float, scale: Tensor, bias: Tensor) throws -> Tensor

  // MARK: Attention

  /// Scaled dot-product attention: q `[N, Tq, heads·d]`, k and v `[N, Tk, heads·d]` → `[N, Tq, heads·d]`,
  /// scale `1/√d`. `causal` hides keys after the query (Tq = Tk). No `Tq × Tk` matrix is held in memory.
  ///
  /// - Parameters:
  ///   - keys: one tensor, or several `[Nᵢ, Tk, heads·d]` that follow each other in the batch: what is known of each text stays where
  ///     it is, and a text that several members of the batch share is there once.
  ///   - values: of the keys' shapes.
  ///   - arithmetic: what both products may be multiplied in; the softmax is fp32.
  func attention(
    query: Tensor, keys: [Tensor], values: [Tensor], heads: Int, causal: Bool, _ arithmetic: LayerArithmetic
  ) throws -> Tensor

  // MARK: Shape and pointwise

  /// Rows of `table` `[V, C]` by id: ids `[N][T]` → `[N, T, C]`.
  func embedding(_ ids: [[Int32]], table: Parameter) throws -> Tensor
  /// Concatenates the last dimension: `[…, A]`, `[…, B]` → `[…, A + B]`.
  func concatenate(_ a: Tensor, _ b: Tensor) throws -> Tensor
  /// Nearest-neighbour resize of x `[N, H, W, C]`; source row is `⌊i · H / height⌋` as PyTorch computes it.
  func upsampleNearest(_ x: Tensor, height: Int, width: Int) throws -> Tensor
  /// `activation(x)`; any activation but `.geglu`.
  func activate(_ x: Tensor, _ activation: Activation) throws -> Tensor
  /// `a · x + b · y`, elementwise, equal shapes. Residuals and scheduler updates.
  func combine(_ a: Float, _ x: Tensor, _ b: Float, _ y: Tensor) throws -> Tensor
  /// `x[…, i] + y[broadcast]` where y's shape is a suffix of x's (position embeddings).
  func addBroadcast(_ x: Tensor, _ y: Tensor) throws -> Tensor
}

/// A pointwise non-linearity, by the name that `config.json` uses.
public enum Activation: Sendable, Equatable {
  case none
  /// `x · sigmoid(x)`
  case silu
  /// `x · Φ(x)`, exact (erf)
  case gelu
  /// `x · sigmoid(1.702 x)`
  case quickGELU
  /// First half of the last dimension times exact gelu of the second half.
  case geglu
}

/// What a layer multiplies.
public enum LayerArithmetic: Sendable {
  /// Numbers of 32 bits.
  case fp32
  /// Integers of 16 bits, where many products are added up: each run of either operand is rounded by a scale of its own, sums are exact.
  case int16
}

/// Group normalisation (Wu and He 2018): over each group of channels of each picture, biased variance, then `· scale + bias`, then
/// the activation.
public struct GroupNormalization: Sendable {
  /// Groups into which the channels are divided evenly.
  public var groups: Int
  /// Added to the variance.
  public var epsilon: Float
  /// One number a channel, `[C]`.
  public var scale: Tensor, bias: Tensor
  /// `.none` or `.silu`.
  public var activation: Activation

  /// All of it.
  public init(groups: Int, epsilon: Float, scale: Tensor, bias: Tensor, activation: Activation = .none) {
    self.groups = groups
    self.epsilon = epsilon
    self.scale = scale
    self.bias = bias
    self.activation = activation
  }

  /// Checks that it fits a map.
  func validate(_ shape: [Int]) {
    precondition(shape.count == 4, "group norm: x is [N, H, W, C], not \(shape)")
    precondition(activation == .none || activation == .silu, "group norm fuses silu or nothing")
    precondition(
      groups > 0 && shape[3].isMultiple(of: groups), "group norm: \(shape[3]) channels in \(groups) groups")
    precondition(scale.shape == [shape[3]] && bias.shape == [shape[3]], "group norm: scale and bias are [C]")
  }
}

/// Stride, zero padding and optional nearest ×2-style upsampling in front of a convolution.
public struct Conv2DGeometry: Sendable, Equatable {
  /// Zero padding on each side of the input.
  public var top: Int, left: Int, bottom: Int, right: Int
  /// Step between output positions, both directions.
  public var stride: Int
  /// The input is first resized (nearest) to this size; nil leaves it as it is.
  public var resizedHeight: Int?, resizedWidth: Int?

  /// Equal padding on all sides.
  public init(stride: Int = 1, padding: Int, resizedTo size: (height: Int, width: Int)? = nil) {
    (top, left, bottom, right) = (padding, padding, padding, padding)
    self.stride = stride
    resizedHeight = size?.height
    resizedWidth = size?.width
  }

  /// The VAE encoder's downsampling: one row and column of zeros below and to the right only.
  public static let downsampleBottomRight: Conv2DGeometry = {
    var geometry = Conv2DGeometry(stride: 2, padding: 0)
    geometry.bottom = 1
    geometry.right = 1
    return geometry
  }()
}

/// A linear layer as its device packed it.
public struct LinearWeights: Sendable {
  /// Input features.
  public let inFeatures: Int
  /// Output features (2D for `.geglu`).
  public let outFeatures: Int
  /// What weights that are no bytes may be multiplied in.
  package let arithmetic: LayerArithmetic
  /// The device's own representation.
  package let packed: any Sendable

  /// For devices.
  package init(
    inFeatures: Int, outFeatures: Int, _ arithmetic: LayerArithmetic = .fp32, packed: any Sendable
  ) {
    self.inFeatures = inFeatures
    self.outFeatures = outFeatures
    self.arithmetic = arithmetic
    self.packed = packed
  }
}

/// A convolution as its device packed it.
public struct Conv2DWeights: Sendable {
  /// Input channels.
  public let inChannels: Int
  /// Output channels.
  public let outChannels: Int
  /// Kernel extent.
  public let kernelHeight: Int, kernelWidth: Int
  /// What it may be multiplied in.
  package let arithmetic: LayerArithmetic
  /// The device's own representation.
  package let packed: any Sendable

  /// For devices: the extents of `weight`, `[out, in, kh, kw]`.
  package init(_ weight: Parameter, _ arithmetic: LayerArithmetic, packed: any Sendable) {
    precondition(
      weight.shape.count == 4, "\(weight.name): a convolution weight is [out, in, kh, kw], not \(weight.shape)")
    (outChannels, inChannels) = (weight.shape[0], weight.shape[1])
    (kernelHeight, kernelWidth) = (weight.shape[2], weight.shape[3])
    self.arithmetic = arithmetic
    self.packed = packed
  }
}

extension Device {
  /// ``linearWeights(_:bias:_:)`` in fp32.
  public func linearWeights(_ weight: Parameter, bias: Parameter?) throws -> LinearWeights {
    try linearWeights(weight, bias: bias, .fp32)
  }

  /// ``attention(query:keys:values:heads:causal:_:)`` to one tensor of keys.
  public func attention(
    query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool, _ arithmetic: LayerArithmetic = .fp32
  ) throws -> Tensor {
    try attention(query: query, keys: [key], values: [value], heads: heads, causal: causal, arithmetic)
  }

  /// ``conv2DWeights(_:bias:_:)`` in fp32.
  public func conv2DWeights(_ weight: Parameter, bias: Parameter?) throws -> Conv2DWeights {
    try conv2DWeights(weight, bias: bias, .fp32)
  }

  /// ``linear(_:_:activation:residual:)`` with nothing fused.
  public func linear(_ x: Tensor, _ weights: LinearWeights, activation: Activation = .none) throws -> Tensor {
    try linear(x, weights, activation: activation, residual: nil)
  }

  /// ``conv2D(_:normalization:_:_:channelAddend:residual:)`` of x as it is.
  public func conv2D(
    _ x: Tensor, _ weights: Conv2DWeights, _ geometry: Conv2DGeometry, channelAddend: Tensor? = nil,
    residual: Tensor? = nil
  ) throws -> Tensor {
    try conv2D(x, normalization: nil, weights, geometry, channelAddend: channelAddend, residual: residual)
  }

  /// ``groupNorm(_:_:)`` with the parameters one by one.
  public func groupNorm(
    _ x: Tensor, groups: Int, epsilon: Float, scale: Tensor, bias: Tensor, activation: Activation
  ) throws -> Tensor {
    try groupNorm(
      x, GroupNormalization(groups: groups, epsilon: epsilon, scale: scale, bias: bias, activation: activation))
  }
}
