/// `unet/config.json`: the shape of the denoising network. Defaults are those of diffusers' `UNet2DConditionModel`.
///
/// The per-block lists of the file are expanded here into one ``Block`` per block, in the order in which data passes
/// through them, so that a network reads what it builds.
public struct UNet2DConditionConfig: Decodable, Sendable, Equatable {
  /// One down or up block.
  public struct Block: Sendable, Equatable {
    /// Channels that leave each resnet.
    public let channels: Int
    /// Resnets, each followed by a transformer when `attention` is present.
    public let resnetCount: Int
    /// Nil: a plain block (`DownBlock2D`, `UpBlock2D`).
    public let attention: Attention?
  }

  /// The transformers of one block.
  public struct Attention: Sendable, Equatable {
    /// Heads; they divide the block's channels.
    public let headCount: Int
    /// Transformer layers beside each resnet of the block.
    public let layerCounts: [Int]
  }

  /// SDXL's conditioning on size and pooled text (`addition_embed_type` `text_time`).
  public struct TextTimeEmbedding: Sendable, Equatable {
    /// Sinusoid width of each of the six time ids.
    public let timeEmbedDim: Int
    /// Width of pooled text and six sinusoids together: the input of `add_embedding.linear_1`.
    public let inputDim: Int
  }

  /// Latent size that the model was trained for; nil when the file does not say.
  public let sampleHeight: Int?, sampleWidth: Int?
  /// Latent channels in and out.
  public let inChannels: Int, outChannels: Int
  /// Channels of each resolution, finest first; `conv_in` makes the first.
  public let blockOutChannels: [Int]
  /// Finest first. All but the last end in a downsampler.
  public let downBlocks: [Block]
  /// The middle block's transformer between its two resnets of `blockOutChannels.last` channels.
  public let midAttention: Attention
  /// Coarsest first. All but the last end in an upsampler.
  public let upBlocks: [Block]
  /// Width of the text context.
  public let crossAttentionDim: Int
  /// Whether `proj_in` and `proj_out` of a transformer are stored as `[C, C]` (true) or as `[C, C, 1, 1]` (false).
  public let useLinearProjection: Bool
  /// Of every group norm.
  public let normGroupCount: Int
  /// Of the resnets' and the last group norm. Transformers have 1e-6 whatever this says.
  public let normEpsilon: Float
  /// Whether the timestep's sinusoids put cosines before sines.
  public let flipSinToCos: Bool
  /// Subtracted from half the sinusoid width in the frequencies' exponent.
  public let frequencyShift: Double
  /// Width of the timestep embedding.
  public let timeEmbedDim: Int
  /// Present in SDXL, absent in SD.
  public let additionEmbedding: TextTimeEmbedding?

  /// Reads the published keys; refuses, by name, every value that would change the network into one that this core
  /// does not compute.
  public init(from decoder: any Decoder) throws {
    let config = try ConfigReader(decoder)
    try Self.refuseUnsupported(config)

    let sampleSize: OneOrMany<Int>? = try config.optional("sample_size")
    let sample = try sampleSize?.expanded(to: 2, key: "sample_size")
    sampleHeight = try sample.map { try config.checkCount($0[0], "sample_size") }
    sampleWidth = try sample.map { try config.checkCount($0[1], "sample_size") }
    inChannels = try config.count("in_channels", default: 4)
    outChannels = try config.count("out_channels", default: 4)
    useLinearProjection = try config.value("use_linear_projection", default: false)
    normGroupCount = try config.count("norm_num_groups", default: 32)
    normEpsilon = Float(try config.positiveNumber("norm_eps", default: 1e-5))
    flipSinToCos = try config.value("flip_sin_to_cos", default: true)
    frequencyShift = try config.number("freq_shift", default: 0)

    let layout = try UNetBlockLayout(config, normGroupCount: normGroupCount)
    blockOutChannels = layout.channels
    downBlocks = layout.downBlocks
    midAttention = layout.midAttention
    upBlocks = layout.upBlocks
    crossAttentionDim = layout.crossAttentionDim
    timeEmbedDim = try config.checkCount(
      config.optional("time_embedding_dim") ?? 4 * layout.channels[0], "time_embedding_dim")

    if let kind: String = try config.optional("addition_embed_type") {
      guard kind == "text_time" else {
        throw ConfigProblem(
          key: "addition_embed_type", message: "is \(quoted(kind)); supported: \"text_time\", null",
          isUnsupported: true)
      }
      additionEmbedding = TextTimeEmbedding(
        timeEmbedDim: try config.checkCount(config.required("addition_time_embed_dim"), "addition_time_embed_dim"),
        inputDim: try config.checkCount(
          config.required("projection_class_embeddings_input_dim"), "projection_class_embeddings_input_dim"))
    } else {
      additionEmbedding = nil
    }
    let sinusoids = [
      ("block_out_channels", blockOutChannels[0]), ("addition_time_embed_dim", additionEmbedding?.timeEmbedDim ?? 2),
    ]
    for (key, width) in sinusoids where width % 2 != 0 {
      throw ConfigProblem(
        key: key, message: "gives a sinusoid of width \(width), expected an even number: half sines, half cosines",
        isUnsupported: true)
    }
  }

  /// Keys that stay as published in the families of this core. Each, set otherwise, adds or removes an operation.
  private static func refuseUnsupported(_ config: ConfigReader) throws {
    try config.only("_class_name", ["UNet2DConditionModel"], default: "UNet2DConditionModel")
    try config.only("act_fn", ["silu", "swish"], default: "silu")
    try config.only("center_input_sample", [false], default: false)
    try config.only("mid_block_type", ["UNetMidBlock2DCrossAttn"], default: "UNetMidBlock2DCrossAttn")
    try config.only("downsample_padding", [1], default: 1)
    try config.only("mid_block_scale_factor", [1.0], default: 1)
    try config.only("resnet_out_scale_factor", [1.0], default: 1)
    try config.only("resnet_time_scale_shift", ["default"], default: "default")
    try config.only("resnet_skip_time_act", [false], default: false)
    try config.only("time_embedding_type", ["positional"], default: "positional")
    try config.only("conv_in_kernel", [3], default: 3)
    try config.only("conv_out_kernel", [3], default: 3)
    try config.only("dual_cross_attention", [false], default: false)
    try config.only("attention_type", ["default"], default: "default")
    try config.only("class_embeddings_concat", [false], default: false)
    for key in [
      "num_attention_heads", "class_embed_type", "num_class_embeds", "encoder_hid_dim", "encoder_hid_dim_type",
      "time_embedding_act_fn", "timestep_post_act", "time_cond_proj_dim", "mid_block_only_cross_attention",
      "cross_attention_norm",
    ] {
      try config.onlyNull(key)
    }
    let onlyCross: OneOrMany<Bool> = try config.value("only_cross_attention", default: .one(false))
    if case .many(let list) = onlyCross, list.contains(true) {
      throw ConfigProblem(key: "only_cross_attention", message: "is \(list); supported: false", isUnsupported: true)
    }
    if case .one(true) = onlyCross {
      throw ConfigProblem(key: "only_cross_attention", message: "is true; supported: false", isUnsupported: true)
    }
  }
}
