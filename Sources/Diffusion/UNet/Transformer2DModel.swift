internal import Tensors

/// The spatial transformer of latent diffusion (Rombach et al. 2022): the pixels of a feature map as tokens that
/// attend to each other and to the text. Channels-last, so the map is the token sequence already.
struct Transformer2DModel: Sendable {
  private let norm: GroupNorm
  private let projectIn: Linear, projectOut: Linear
  private let blocks: [BasicTransformerBlock]

  init(_ weights: ModuleWeights, _ config: UNet2DConditionConfig, channels: Int, heads: Int, layers: Int) throws {
    // This epsilon is fixed in the reference; `norm_eps` is the resnets'.
    norm = try GroupNorm(weights["norm"], channels: channels, groups: config.normGroupCount, epsilon: 1e-6)
    projectIn = try Linear(weights["proj_in"], channels, channels)
    blocks = try (0..<layers).map {
      try BasicTransformerBlock(
        weights["transformer_blocks", $0], features: channels, contextFeatures: config.crossAttentionDim, heads: heads)
    }
    projectOut = try Linear(weights["proj_out"], channels, channels)
  }

  /// x `[N, H, W, C]` → `[N, H, W, C]`.
  func callAsFunction(_ x: Tensor, _ state: UNetState) throws -> Tensor {
    let shape = x.shape
    let tokens = shape[1] * shape[2]
    var hidden = try projectIn(norm(x).reshaped([shape[0], tokens, shape[3]]))
    for block in blocks {
      hidden = try block(hidden, texts: state.texts)
      try state.meter.advance(Double(shape[0]) * block.cost(tokens: tokens, contextTokens: state.textTokens))
    }
    return try projectOut(hidden.reshaped(shape), residual: x)
  }

  /// Multiply-accumulates of the layers for a map of `pixels`; the two projections are too little to count.
  func cost(pixels: Int, contextTokens: Int) -> Double {
    blocks.reduce(0) { $0 + $1.cost(tokens: pixels, contextTokens: contextTokens) }
  }
}
