internal import Tensors

/// A resolution of the UNet's expanding half: `UpBlock2D`, or `CrossAttnUpBlock2D` when its layers attend to the text.
/// Before each layer the matching output of the contracting half joins the channels.
struct UpBlock2D: Sendable {
  private let device: any Device
  private let layers: [ResnetAndAttention]
  private let upsampler: Conv2D?

  /// - Parameters:
  ///   - inChannels: of what comes from the block before.
  ///   - skipChannels: of each joined map, in the order in which they are joined.
  ///   - upsamples: true but for the finest block.
  init(
    _ weights: ModuleWeights, _ config: UNet2DConditionConfig, _ block: UNet2DConditionConfig.Block, inChannels: Int,
    skipChannels: some Collection<Int>, upsamples: Bool
  ) throws {
    device = weights.device
    layers = try zip(0..<block.resnetCount, skipChannels).map { index, skip in
      try ResnetAndAttention(
        weights, config, index: index, inChannels: (index == 0 ? inChannels : block.channels) + skip, block: block)
    }
    upsampler = upsamples ? try Conv2D(weights["upsamplers.0.conv"], block.channels, block.channels) : nil
  }

  /// x `[N, H, W, C]` → the size of the next map on `skips`, from whose end this block's maps are taken.
  ///
  /// The size is read off that map, not doubled: an odd size was rounded up on the way down, and twice it would not
  /// fit.
  func callAsFunction(_ x: Tensor, _ state: UNetState, skips: inout [Tensor]) throws -> Tensor {
    var x = x
    for layer in layers {
      x = try layer(device.concatenate(x, skips.removeLast()), state)
    }
    if let upsampler, let next = skips.last {
      let size = MapSize(next)
      x = try upsampler(x, Conv2DGeometry(padding: 1, resizedTo: (size.height, size.width)))
      try state.meter.advance(Double(x.shape[0]) * upsampler.cost(pixels: size.pixels))
    }
    return x
  }

  /// Multiply-accumulates for one picture at `size`, upsampling to `next`.
  func cost(_ size: MapSize, next: MapSize?, contextTokens: Int) -> Double {
    layers.reduce(0) { $0 + $1.cost(size, contextTokens: contextTokens) }
      + (next.map { upsampler?.cost(pixels: $0.pixels) ?? 0 } ?? 0)
  }
}
