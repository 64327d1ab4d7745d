internal import Tensors

/// Multi-head attention (Vaswani et al. 2017) under the names that diffusers gives its parts: `to_q`, `to_k`, `to_v`,
/// `to_out.0`.
struct Attention: Sendable {
  private let device: any Device
  private let heads: Int
  private let arithmetic: LayerArithmetic
  private let keyID = LayerID(), valueID = LayerID()
  private let toQ: Linear, toK: Linear, toV: Linear, toOut: Linear

  /// - Parameters:
  ///   - features: width of the queries and of the result.
  ///   - contextFeatures: width of what is attended to.
  ///   - biased: whether the three input projections have a bias (the VAE's have, the UNet's have not).
  init(_ weights: ModuleWeights, features: Int, contextFeatures: Int, heads: Int, biased: Bool) throws {
    guard heads > 0, features.isMultiple(of: heads) else {
      throw DiffusionError(
        .checkpoint,
        "\(weights.path): \(features) channels do not divide into \(heads) attention heads; "
          + "correct attention_head_dim in the component's config.json")
    }
    device = weights.device
    self.heads = heads
    arithmetic = weights.attentionArithmetic
    toQ = try Linear(weights["to_q"], features, features, bias: biased)
    toK = try Linear(weights["to_k"], contextFeatures, features, bias: biased)
    toV = try Linear(weights["to_v"], contextFeatures, features, bias: biased)
    toOut = try Linear(weights["to_out", 0], features, features)
  }

  /// Queries x `[N, T, C]` over x itself, plus `residual` `[N, T, C]`.
  func callAsFunction(_ x: Tensor, residual: Tensor) throws -> Tensor {
    let attended = try device.attention(
      query: toQ(x), key: toK(x), value: toV(x), heads: heads, causal: false, arithmetic)
    return try toOut(attended, residual: residual)
  }

  /// Queries x `[N, T, C]` over the texts, whose memos keep their keys and values, plus `residual` `[N, T, C]`.
  func callAsFunction(_ x: Tensor, texts: [TextConditioning], residual: Tensor) throws -> Tensor {
    let attended = try device.attention(
      query: toQ(x), keys: texts.map { text in try text.memo.text.tensor(keyID) { try toK(text.context) } },
      values: texts.map { text in try text.memo.text.tensor(valueID) { try toV(text.context) } },
      heads: heads, causal: false, arithmetic)
    return try toOut(attended, residual: residual)
  }

  /// Multiply-accumulates for `tokens` queries over `contextTokens` keys; the width is `features`.
  func cost(tokens: Int, contextTokens: Int, features: Int) -> Double {
    toQ.cost(rows: tokens) + toK.cost(rows: contextTokens) + toV.cost(rows: contextTokens)
      + toOut.cost(rows: tokens) + 2 * Double(tokens) * Double(contextTokens) * Double(features)
  }
}
