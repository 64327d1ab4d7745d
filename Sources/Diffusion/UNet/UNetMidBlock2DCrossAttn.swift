internal import Tensors

/// The UNet's coarsest point: resnet, transformer, resnet.
struct UNetMidBlock2DCrossAttn: Sendable {
  private let resnet1: ResnetBlock2D
  private let attention: Transformer2DModel
  private let resnet2: ResnetBlock2D

  init(_ weights: ModuleWeights, _ config: UNet2DConditionConfig, channels: Int) throws {
    func resnet(_ index: Int) throws -> ResnetBlock2D {
      try ResnetBlock2D(
        weights["resnets", index], channels, channels, timeChannels: config.timeEmbedDim,
        groups: config.normGroupCount, epsilon: config.normEpsilon)
    }
    resnet1 = try resnet(0)
    attention = try Transformer2DModel(
      weights["attentions", 0], config, channels: channels, heads: config.midAttention.headCount,
      layers: config.midAttention.layerCounts[0])
    resnet2 = try resnet(1)
  }

  /// x `[N, H, W, C]` → the same shape.
  func callAsFunction(_ x: Tensor, _ state: UNetState) throws -> Tensor {
    let resnetCost = Double(x.shape[0]) * resnet1.cost(pixels: MapSize(x).pixels)
    var x = try resnet1(x, time: state.time)
    try state.meter.advance(resnetCost)
    x = try attention(x, state)
    x = try resnet2(x, time: state.time)
    try state.meter.advance(resnetCost)
    return x
  }

  /// Multiply-accumulates for one picture.
  func cost(_ size: MapSize, contextTokens: Int) -> Double {
    2 * resnet1.cost(pixels: size.pixels) + attention.cost(pixels: size.pixels, contextTokens: contextTokens)
  }
}
