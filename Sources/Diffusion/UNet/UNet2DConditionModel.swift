package import Tensors

/// The denoising network of latent diffusion (Rombach et al. 2022; SDXL: Podell et al. 2023): predicts the noise in
/// latents, given the timestep and the text.
package struct UNet2DConditionModel: Sendable {
  private let device: any Device
  private let timeID = LayerID()
  private let timeProjection: Timesteps, timeEmbedding: TimestepEmbedding
  private let addProjection: Timesteps?, addEmbedding: TimestepEmbedding?
  private let convIn: Conv2D
  private let downBlocks: [DownBlock2D], midBlock: UNetMidBlock2DCrossAttn, upBlocks: [UpBlock2D]
  private let convNormOut: GroupNorm, convOut: Conv2D

  /// Loads the network.
  package init(_ config: UNet2DConditionConfig, weights store: WeightStore, device: any Device) throws {
    let weights = ModuleWeights(store: store, device: device)
    let channels = config.blockOutChannels
    let finest = channels[0], coarsest = channels[channels.count - 1]
    self.device = device

    func sinusoids(_ width: Int) -> Timesteps {
      Timesteps(channels: width, flipSinToCos: config.flipSinToCos, frequencyShift: config.frequencyShift)
    }
    timeProjection = sinusoids(finest)
    timeEmbedding = try TimestepEmbedding(weights["time_embedding"], finest, config.timeEmbedDim)
    addProjection = config.additionEmbedding.map { sinusoids($0.timeEmbedDim) }
    addEmbedding = try config.additionEmbedding.map {
      try TimestepEmbedding(weights["add_embedding"], $0.inputDim, config.timeEmbedDim)
    }

    convIn = try Conv2D(weights["conv_in"], config.inChannels, finest)

    // Channels of every map that the contracting half keeps, in the order in which it keeps them.
    var skipChannels = [finest]
    var width = finest
    var downBlocks: [DownBlock2D] = []
    for (index, block) in config.downBlocks.enumerated() {
      let downsamples = index < config.downBlocks.count - 1
      downBlocks.append(
        try DownBlock2D(weights["down_blocks", index], config, block, inChannels: width, downsamples: downsamples))
      width = block.channels
      skipChannels += Array(repeating: width, count: block.resnetCount + (downsamples ? 1 : 0))
    }
    self.downBlocks = downBlocks

    midBlock = try UNetMidBlock2DCrossAttn(weights["mid_block"], config, channels: coarsest)

    var upBlocks: [UpBlock2D] = []
    for (index, block) in config.upBlocks.enumerated() {
      upBlocks.append(
        try UpBlock2D(
          weights["up_blocks", index], config, block, inChannels: width,
          skipChannels: skipChannels.suffix(block.resnetCount).reversed(),
          upsamples: index < config.upBlocks.count - 1))
      width = block.channels
      skipChannels.removeLast(block.resnetCount)
    }
    self.upBlocks = upBlocks

    convNormOut = try GroupNorm(
      weights["conv_norm_out"], channels: finest, groups: config.normGroupCount, epsilon: config.normEpsilon)
    convOut = try Conv2D(weights["conv_out"], finest, config.outChannels)
  }

  /// Predicts the noise in `sample` `[N, H, W, 4]` at `timestep`, with texts for all `N`, in their order.
  ///
  /// Each member of the batch comes out as it would alone, to the bit.
  package func callAsFunction(
    _ sample: Tensor, timestep: Float, texts: [TextConditioning], meter: WorkMeter
  ) throws -> Tensor {
    precondition(
      texts.reduce(0) { $0 + $1.count } == sample.shape[0], "\(texts.map(\.count)) texts for \(sample.shape)")
    let time = TimeConditioning(
      parts: try texts.map { text in
        let memo = text.memo.step(timestep, timeIDs: text.added?.timeIDs ?? [])
        return (
          activated: try memo.tensor(timeID) {
            try device.activate(embedding(timestep, batch: text.count, added: text.added), .silu)
          }, memo: memo
        )
      })
    let state = UNetState(time: time, texts: texts, meter: meter)
    var x = try convIn(sample)
    var skips = [x]
    for block in downBlocks { x = try block(x, state, skips: &skips) }
    x = try midBlock(x, state)
    for block in upBlocks { x = try block(x, state, skips: &skips) }
    return try convOut(x, after: convNormOut.silu)
  }

  /// Multiply-accumulates of one evaluation for one picture of `height` × `width` latents.
  func cost(height: Int, width: Int, contextTokens: Int) -> Double {
    var size = MapSize(height: height, width: width)
    var sizes: [MapSize] = []
    var cost = 0.0
    for block in downBlocks {
      sizes.append(size)
      cost += block.cost(&size, contextTokens: contextTokens)
    }
    cost += midBlock.cost(size, contextTokens: contextTokens)
    for block in upBlocks {
      let size = sizes.removeLast()
      cost += block.cost(size, next: sizes.last, contextTokens: contextTokens)
    }
    return cost
  }

  /// `temb` `[N, timeEmbedDim]`: the timestep's embedding and, in SDXL, that of the pooled text and the sizes.
  private func embedding(_ timestep: Float, batch: Int, added: TextConditioning.AddedConditioning?) throws -> Tensor {
    let sinusoid = timeProjection([timestep])
    let repeated = (0..<batch).flatMap { _ in sinusoid }
    let time = try timeEmbedding(Tensor(repeated, shape: [batch, sinusoid.count]))
    guard let addProjection, let addEmbedding, let added else { return time }
    let sizes = Tensor(
      added.timeIDs.flatMap { addProjection($0) }, shape: [batch, 6 * addProjection.channels])
    return try addEmbedding(device.concatenate(added.textEmbeds, sizes), residual: time)
  }
}
