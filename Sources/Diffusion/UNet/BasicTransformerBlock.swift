internal import Tensors

/// One layer of a ``Transformer2DModel``: attention among the pixels, attention to the text, perceptron.
///
///     x += attn1(norm1(x))
///     x += attn2(norm2(x), context)
///     x += ff(norm3(x))
struct BasicTransformerBlock: Sendable {
  private let features: Int
  private let norm1: LayerNorm, attention1: Attention
  private let norm2: LayerNorm, attention2: Attention
  private let norm3: LayerNorm, feedForward: FeedForward

  init(_ weights: ModuleWeights, features: Int, contextFeatures: Int, heads: Int) throws {
    self.features = features
    norm1 = try LayerNorm(weights["norm1"], features: features, epsilon: 1e-5)
    attention1 = try Attention(
      weights["attn1"], features: features, contextFeatures: features, heads: heads, biased: false)
    norm2 = try LayerNorm(weights["norm2"], features: features, epsilon: 1e-5)
    attention2 = try Attention(
      weights["attn2"], features: features, contextFeatures: contextFeatures, heads: heads, biased: false)
    norm3 = try LayerNorm(weights["norm3"], features: features, epsilon: 1e-5)
    feedForward = try FeedForward(weights["ff"], features: features)
  }

  /// x `[N, T, C]` → `[N, T, C]`, told about by `texts`.
  func callAsFunction(_ x: Tensor, texts: [TextConditioning]) throws -> Tensor {
    var x = try attention1(norm1(x), residual: x)
    x = try attention2(norm2(x), texts: texts, residual: x)
    return try feedForward(norm3(x), residual: x)
  }

  /// Multiply-accumulates for `tokens` pixels and `contextTokens` of text.
  func cost(tokens: Int, contextTokens: Int) -> Double {
    attention1.cost(tokens: tokens, contextTokens: tokens, features: features)
      + attention2.cost(tokens: tokens, contextTokens: contextTokens, features: features)
      + feedForward.cost(tokens: tokens)
  }
}
