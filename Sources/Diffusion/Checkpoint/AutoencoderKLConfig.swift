/// `vae/config.json`: the shape of the autoencoder. Defaults are those of diffusers' `AutoencoderKL`.
public struct AutoencoderKLConfig: Decodable, Sendable, Equatable {
  /// Picture channels in and out: 3.
  public let inChannels: Int, outChannels: Int
  /// Channels of each resolution, finest first.
  public let blockOutChannels: [Int]
  /// Resnets of an encoder block; a decoder block has one more.
  public let layersPerBlock: Int
  /// Channels of the latents.
  public let latentChannels: Int
  /// Of every group norm. Its epsilon is 1e-6 in this network.
  public let normGroupCount: Int
  /// The network's latents are multiplied by this for the UNet, and divided before decoding.
  public let scalingFactor: Double
  /// Whether `quant_conv` (encoder) exists.
  public let useQuantConv: Bool
  /// Whether `post_quant_conv` (decoder) exists.
  public let usePostQuantConv: Bool
  /// Whether the middle blocks have an attention between their resnets.
  public let midBlockAddAttention: Bool

  /// Pixels along a latent's side: each block but the last halves the picture.
  public var downsamplingFactor: Int { 1 << (blockOutChannels.count - 1) }

  /// Reads the published keys; refuses, by name, what this core does not compute.
  public init(from decoder: any Decoder) throws {
    let config = try ConfigReader(decoder)
    try config.only("_class_name", ["AutoencoderKL"], default: "AutoencoderKL")
    try config.only("act_fn", ["silu", "swish"], default: "silu")
    try config.only("in_channels", [3], default: 3)
    try config.only("out_channels", [3], default: 3)
    // The pipelines of these families scale latents by one number; a shift or per-channel statistics would be
    // ignored silently, and the colours with them.
    try config.onlyNull("shift_factor")
    try config.onlyNull("latents_mean")
    try config.onlyNull("latents_std")

    inChannels = 3
    outChannels = 3
    blockOutChannels = try config.value("block_out_channels", default: [64])
    layersPerBlock = try config.count("layers_per_block", default: 1)
    latentChannels = try config.count("latent_channels", default: 4)
    normGroupCount = try config.count("norm_num_groups", default: 32)
    scalingFactor = try config.positiveNumber("scaling_factor", default: 0.18215)
    useQuantConv = try config.value("use_quant_conv", default: true)
    usePostQuantConv = try config.value("use_post_quant_conv", default: true)
    midBlockAddAttention = try config.value("mid_block_add_attention", default: true)

    guard (1...8).contains(blockOutChannels.count) else {
      throw ConfigProblem(key: "block_out_channels", message: "has \(blockOutChannels.count) values, expected 1 to 8")
    }
    for width in blockOutChannels where try config.checkCount(width, "block_out_channels") % normGroupCount != 0 {
      throw ConfigProblem(
        key: "norm_num_groups", message: "is \(normGroupCount), which does not divide block_out_channels \(width)")
    }
    for (key, legal) in [("down_block_types", "DownEncoderBlock2D"), ("up_block_types", "UpDecoderBlock2D")] {
      let types: [String] = try config.value(key, default: [legal])
      for type in types where type != legal {
        throw ConfigProblem(
          key: key, message: "has \(quoted(type)); supported: \(quoted(legal))", isUnsupported: true)
      }
      guard types.count == blockOutChannels.count else {
        throw ConfigProblem(
          key: key, message: "has \(types.count) blocks, but block_out_channels has \(blockOutChannels.count)")
      }
    }
  }
}
