internal import Tensors

/// The expanding half of the autoencoder: latents to a picture.
struct VAEDecoder: Sendable {
  /// One resolution.
  private struct Block: Sendable {
    let resnets: [ResnetBlock2D]
    let upsampler: Conv2D?
  }

  private let convIn: Conv2D
  private let midBlock: UNetMidBlock2D
  private let blocks: [Block]
  private let convNormOut: GroupNorm, convOut: Conv2D

  init(_ weights: ModuleWeights, _ config: AutoencoderKLConfig) throws {
    let widths = Array(config.blockOutChannels.reversed())
    let coarsest = widths[0], finest = widths[widths.count - 1]
    convIn = try Conv2D(weights["conv_in"], config.latentChannels, coarsest)
    midBlock = try UNetMidBlock2D(weights["mid_block"], config, channels: coarsest)
    blocks = try widths.enumerated().map { index, width in
      let block = weights["up_blocks", index]
      let inChannels = index == 0 ? coarsest : widths[index - 1]
      return Block(
        resnets: try (0...config.layersPerBlock).map {
          try ResnetBlock2D(block["resnets", $0], $0 == 0 ? inChannels : width, width, config)
        },
        upsampler: index < widths.count - 1 ? try Conv2D(block["upsamplers.0.conv"], width, width) : nil)
    }
    convNormOut = try GroupNorm(
      weights["conv_norm_out"], channels: finest, groups: config.normGroupCount, epsilon: AutoencoderKL.normEpsilon)
    convOut = try Conv2D(weights["conv_out"], finest, config.outChannels)
  }

  /// Latents `[N, h, w, latentChannels]` → picture `[N, f·h, f·w, 3]`, not clamped.
  func callAsFunction(_ latents: Tensor, meter: WorkMeter) throws -> Tensor {
    var x = try midBlock(convIn(latents), meter: meter)
    for block in blocks {
      for resnet in block.resnets {
        x = try resnet(x)
        try meter.advance(resnet.cost(pixels: MapSize(x).pixels))
      }
      if let upsampler = block.upsampler {
        let size = MapSize(x)
        x = try upsampler(x, Conv2DGeometry(padding: 1, resizedTo: (2 * size.height, 2 * size.width)))
        try meter.advance(upsampler.cost(pixels: MapSize(x).pixels))
      }
    }
    return try convOut(x, after: convNormOut.silu)
  }

  /// Multiply-accumulates for one picture of `height` × `width` latents.
  func cost(height: Int, width: Int) -> Double {
    var size = MapSize(height: height, width: width)
    var cost = midBlock.cost(size)
    for block in blocks {
      cost += block.resnets.reduce(0) { $0 + $1.cost(pixels: size.pixels) }
      guard let upsampler = block.upsampler else { continue }
      size = MapSize(height: 2 * size.height, width: 2 * size.width)
      cost += upsampler.cost(pixels: size.pixels)
    }
    return cost
  }
}
