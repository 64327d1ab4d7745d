internal import Tensors

/// The autoencoder's coarsest point: resnet, attention of one head among all pixels, resnet.
struct UNetMidBlock2D: Sendable {
  private let resnet1: ResnetBlock2D
  private let attention: (norm: GroupNorm, attention: Attention)?
  private let resnet2: ResnetBlock2D
  private let channels: Int

  init(_ weights: ModuleWeights, _ config: AutoencoderKLConfig, channels: Int) throws {
    self.channels = channels
    resnet1 = try ResnetBlock2D(weights["resnets", 0], channels, channels, config)
    let module = weights["attentions", 0]
    attention =
      config.midBlockAddAttention
      ? (
        try GroupNorm(
          module["group_norm"], channels: channels, groups: config.normGroupCount, epsilon: AutoencoderKL.normEpsilon),
        try Attention(module, features: channels, contextFeatures: channels, heads: 1, biased: true)
      ) : nil
    resnet2 = try ResnetBlock2D(weights["resnets", 1], channels, channels, config)
  }

  /// x `[N, H, W, C]` → the same shape.
  func callAsFunction(_ x: Tensor, meter: WorkMeter) throws -> Tensor {
    let size = MapSize(x)
    var x = try resnet1(x)
    try meter.advance(resnet1.cost(pixels: size.pixels))
    if let (norm, attention) = attention {
      let tokens = [x.shape[0], size.pixels, channels]
      x = try attention(norm(x).reshaped(tokens), residual: x.reshaped(tokens)).reshaped(x.shape)
      try meter.advance(attentionCost(size))
    }
    x = try resnet2(x)
    try meter.advance(resnet2.cost(pixels: size.pixels))
    return x
  }

  /// Multiply-accumulates for one picture.
  func cost(_ size: MapSize) -> Double { 2 * resnet1.cost(pixels: size.pixels) + attentionCost(size) }

  private func attentionCost(_ size: MapSize) -> Double {
    attention?.attention.cost(tokens: size.pixels, contextTokens: size.pixels, features: channels) ?? 0
  }
}

extension ResnetBlock2D {
  /// A residual block of the autoencoder: no time embedding, its own epsilon.
  init(_ weights: ModuleWeights, _ inChannels: Int, _ outChannels: Int, _ config: AutoencoderKLConfig) throws {
    try self.init(
      weights, inChannels, outChannels, timeChannels: nil, groups: config.normGroupCount,
      epsilon: AutoencoderKL.normEpsilon)
  }
}
