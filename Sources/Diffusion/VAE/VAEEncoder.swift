internal import Tensors

/// The contracting half of the autoencoder: pictures to the parameters of a distribution over latents.
struct VAEEncoder: Sendable {
  /// One resolution.
  private struct Block: Sendable {
    let resnets: [ResnetBlock2D]
    let downsampler: Conv2D?
  }

  private let convIn: Conv2D
  private let blocks: [Block]
  private let midBlock: UNetMidBlock2D
  private let convNormOut: GroupNorm, convOut: Conv2D

  init(_ weights: ModuleWeights, _ config: AutoencoderKLConfig) throws {
    let widths = config.blockOutChannels
    let coarsest = widths[widths.count - 1]
    convIn = try Conv2D(weights["conv_in"], config.inChannels, widths[0])
    blocks = try widths.enumerated().map { index, width in
      let block = weights["down_blocks", index]
      let inChannels = index == 0 ? widths[0] : widths[index - 1]
      return Block(
        resnets: try (0..<config.layersPerBlock).map {
          try ResnetBlock2D(block["resnets", $0], $0 == 0 ? inChannels : width, width, config)
        },
        downsampler: index < widths.count - 1 ? try Conv2D(block["downsamplers.0.conv"], width, width) : nil)
    }
    midBlock = try UNetMidBlock2D(weights["mid_block"], config, channels: coarsest)
    convNormOut = try GroupNorm(
      weights["conv_norm_out"], channels: coarsest, groups: config.normGroupCount, epsilon: AutoencoderKL.normEpsilon)
    // Twice: a mean and a variance of each latent channel.
    convOut = try Conv2D(weights["conv_out"], coarsest, 2 * config.latentChannels)
  }

  /// Picture `[N, H, W, 3]` → `[N, H/f, W/f, 2 · latentChannels]`.
  func callAsFunction(_ image: Tensor, meter: WorkMeter) throws -> Tensor {
    var x = try convIn(image)
    for block in blocks {
      for resnet in block.resnets {
        x = try resnet(x)
        try meter.advance(resnet.cost(pixels: MapSize(x).pixels))
      }
      if let downsampler = block.downsampler {
        x = try downsampler(x, .downsampleBottomRight)
        try meter.advance(downsampler.cost(pixels: MapSize(x).pixels))
      }
    }
    x = try midBlock(x, meter: meter)
    return try convOut(x, after: convNormOut.silu)
  }

  /// Multiply-accumulates for one picture of `height` × `width` pixels.
  func cost(height: Int, width: Int) -> Double {
    var size = MapSize(height: height, width: width)
    var cost = 0.0
    for block in blocks {
      cost += block.resnets.reduce(0) { $0 + $1.cost(pixels: size.pixels) }
      guard let downsampler = block.downsampler else { continue }
      size = MapSize(height: size.height / 2, width: size.width / 2)
      cost += downsampler.cost(pixels: size.pixels)
    }
    return cost + midBlock.cost(size)
  }
}
