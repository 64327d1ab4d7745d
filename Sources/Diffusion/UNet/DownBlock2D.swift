internal import Tensors

/// A resolution of the UNet's contracting half: `DownBlock2D`, or `CrossAttnDownBlock2D` when its layers attend to the
/// text. Every layer's output is kept for the expanding half.
struct DownBlock2D: Sendable {
  private let layers: [ResnetAndAttention]
  private let downsampler: Conv2D?

  /// - Parameter downsamples: true but for the coarsest block.
  init(
    _ weights: ModuleWeights, _ config: UNet2DConditionConfig, _ block: UNet2DConditionConfig.Block, inChannels: Int,
    downsamples: Bool
  ) throws {
    layers = try (0..<block.resnetCount).map {
      try ResnetAndAttention(
        weights, config, index: $0, inChannels: $0 == 0 ? inChannels : block.channels, block: block)
    }
    downsampler = downsamples ? try Conv2D(weights["downsamplers.0.conv"], block.channels, block.channels) : nil
  }

  /// x `[N, H, W, C]` → half the size, rounded up; pushes what the expanding half will join on `skips`.
  func callAsFunction(_ x: Tensor, _ state: UNetState, skips: inout [Tensor]) throws -> Tensor {
    var x = x
    for layer in layers {
      x = try layer(x, state)
      skips.append(x)
    }
    if let downsampler {
      x = try downsampler(x, Conv2DGeometry(stride: 2, padding: 1))
      skips.append(x)
      try state.meter.advance(Double(x.shape[0]) * downsampler.cost(pixels: MapSize(x).pixels))
    }
    return x
  }

  /// Multiply-accumulates for one picture; `size` becomes the next block's.
  func cost(_ size: inout MapSize, contextTokens: Int) -> Double {
    var cost = layers.reduce(0) { $0 + $1.cost(size, contextTokens: contextTokens) }
    if let downsampler {
      size = size.downsampled
      cost += downsampler.cost(pixels: size.pixels)
    }
    return cost
  }
}
