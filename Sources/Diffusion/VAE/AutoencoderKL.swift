package import Tensors

/// The variational autoencoder of latent diffusion (Rombach et al. 2022; Kingma and Welling 2013): pictures in [−1, 1]
/// to latents and back.
///
/// It computes in fp32 whatever the files hold. SDXL's published weights overflow fp16 and then decode to black.
package struct AutoencoderKL: Sendable {
  /// Of every group norm; the published configuration has no key for it.
  static let normEpsilon: Float = 1e-6

  private let encoder: VAEEncoder, quantConv: Linear?
  private let postQuantConv: Linear?, decoder: VAEDecoder

  /// Loads both halves.
  package init(_ config: AutoencoderKLConfig, weights store: WeightStore, device: any Device) throws {
    let weights = ModuleWeights(store: store, device: device)
    let channels = config.latentChannels
    encoder = try VAEEncoder(weights["encoder"], config)
    quantConv =
      config.useQuantConv
      ? try Linear(weights["quant_conv"], 2 * channels, 2 * channels) : nil
    postQuantConv =
      config.usePostQuantConv
      ? try Linear(weights["post_quant_conv"], channels, channels) : nil
    decoder = try VAEDecoder(weights["decoder"], config)
  }

  /// Picture `[N, H, W, 3]` in [−1, 1] → distribution of its latents `[N, H/f, W/f, C]`, not yet scaled.
  package func encode(_ image: Tensor, meter: WorkMeter) throws -> DiagonalGaussianDistribution {
    let moments = try encoder(image, meter: meter)
    return DiagonalGaussianDistribution(moments: try quantConv?(moments) ?? moments)
  }

  /// Latents `[N, h, w, C]`, already divided by the scaling factor → picture `[N, f·h, f·w, 3]`, about [−1, 1].
  package func decode(_ latents: Tensor, meter: WorkMeter) throws -> Tensor {
    try decoder(postQuantConv?(latents) ?? latents, meter: meter)
  }

  /// Multiply-accumulates of encoding one picture of `height` × `width` pixels.
  func encodingCost(height: Int, width: Int) -> Double { encoder.cost(height: height, width: width) }

  /// Multiply-accumulates of decoding one picture of `height` × `width` latents.
  func decodingCost(height: Int, width: Int) -> Double { decoder.cost(height: height, width: width) }
}
