internal import Tensors

/// What every block of one UNet evaluation reads.
struct UNetState {
  /// The timestep.
  let time: TimeConditioning
  /// The texts of the batch's members.
  let texts: [TextConditioning]
  /// Told after each layer.
  let meter: WorkMeter

  /// Tokens of a text.
  var textTokens: Int { texts[0].context.shape[1] }
}

/// Size of a feature map.
struct MapSize: Equatable {
  var height: Int, width: Int
  var pixels: Int { height * width }

  init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  /// The size of `[N, H, W, C]`.
  init(_ map: Tensor) { self.init(height: map.shape[1], width: map.shape[2]) }

  /// After a 3×3 convolution of stride 2 and padding 1: half, rounded up.
  var downsampled: MapSize { MapSize(height: (height + 1) / 2, width: (width + 1) / 2) }
}

/// A resnet and, in the blocks that see the text, the transformer behind it.
struct ResnetAndAttention: Sendable {
  let resnet: ResnetBlock2D
  let attention: Transformer2DModel?

  /// The `index`-th pair of a block: `in` channels → `block.channels`.
  init(
    _ weights: ModuleWeights, _ config: UNet2DConditionConfig, index: Int, inChannels: Int,
    block: UNet2DConditionConfig.Block
  ) throws {
    resnet = try ResnetBlock2D(
      weights["resnets", index], inChannels, block.channels, timeChannels: config.timeEmbedDim,
      groups: config.normGroupCount, epsilon: config.normEpsilon)
    attention = try block.attention.map {
      try Transformer2DModel(
        weights["attentions", index], config, channels: block.channels, heads: $0.headCount,
        layers: $0.layerCounts[index])
    }
  }

  func callAsFunction(_ x: Tensor, _ state: UNetState) throws -> Tensor {
    let hidden = try resnet(x, time: state.time)
    try state.meter.advance(Double(x.shape[0]) * resnet.cost(pixels: MapSize(x).pixels))
    return try attention?(hidden, state) ?? hidden
  }

  func cost(_ size: MapSize, contextTokens: Int) -> Double {
    resnet.cost(pixels: size.pixels) + (attention?.cost(pixels: size.pixels, contextTokens: contextTokens) ?? 0)
  }
}
