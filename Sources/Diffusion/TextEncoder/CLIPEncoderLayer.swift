internal import Tensors

/// One pre-norm layer of the CLIP text transformer (Radford et al. 2021):
///
///     x += out_proj(attention(layer_norm1(x)))        causal
///     x += fc2(activation(fc1(layer_norm2(x))))
struct CLIPEncoderLayer: Sendable {
  private let device: any Device
  private let heads: Int, width: Int
  private let activation: Activation
  private let layerNorm1: LayerNorm
  private let queryProjection: Linear, keyProjection: Linear, valueProjection: Linear, outProjection: Linear
  private let layerNorm2: LayerNorm
  private let fc1: Linear, fc2: Linear

  init(_ weights: ModuleWeights, _ config: CLIPTextConfig) throws {
    device = weights.device
    heads = config.headCount
    width = config.hiddenSize
    activation = config.hiddenActivation
    layerNorm1 = try LayerNorm(weights["layer_norm1"], features: width, epsilon: config.layerNormEpsilon)
    let attention = weights["self_attn"]
    queryProjection = try Linear(attention["q_proj"], width, width)
    keyProjection = try Linear(attention["k_proj"], width, width)
    valueProjection = try Linear(attention["v_proj"], width, width)
    outProjection = try Linear(attention["out_proj"], width, width)
    layerNorm2 = try LayerNorm(weights["layer_norm2"], features: width, epsilon: config.layerNormEpsilon)
    fc1 = try Linear(weights["mlp"]["fc1"], width, config.intermediateSize)
    fc2 = try Linear(weights["mlp"]["fc2"], config.intermediateSize, width)
  }

  /// x `[N, T, C]` → the same shape.
  func callAsFunction(_ x: Tensor) throws -> Tensor {
    let normed = try layerNorm1(x)
    let attended = try device.attention(
      query: queryProjection(normed), key: keyProjection(normed), value: valueProjection(normed), heads: heads,
      causal: true)
    let x = try outProjection(attended, residual: x)
    return try fc2(fc1(layerNorm2(x), activation: activation), residual: x)
  }

  /// Multiply-accumulates for `tokens` tokens.
  func cost(tokens: Int) -> Double {
    4 * queryProjection.cost(rows: tokens) + 2 * fc1.cost(rows: tokens)
      + 2 * Double(tokens * tokens) * Double(width)
  }
}
