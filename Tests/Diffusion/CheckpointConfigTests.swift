import Diffusion
import Tensors
import Testing

/// The published configurations, and what is refused.
@Suite struct CheckpointConfigTests {
  let scratch: CheckpointScratch

  init() throws { scratch = try CheckpointScratch() }

  /// `unet/config.json` of sdxl-turbo.
  static var sdxlUNet: [String: Any] {
    [
      "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.24.0.dev0", "sample_size": 64, "in_channels": 4,
      "out_channels": 4, "block_out_channels": [320, 640, 1280],
      "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
      "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "layers_per_block": 2,
      "transformer_layers_per_block": [1, 2, 10], "attention_head_dim": [5, 10, 20], "cross_attention_dim": 2048,
      "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
      "projection_class_embeddings_input_dim": 2816, "use_linear_projection": true, "norm_num_groups": 32,
      "norm_eps": 1e-5, "act_fn": "silu", "flip_sin_to_cos": true, "freq_shift": 0,
    ]
  }

  @Test func expandsTheBlocksOfSDXL() throws {
    let config = try scratch.decode(UNet2DConditionConfig.self, "unet", Self.sdxlUNet)
    typealias Block = UNet2DConditionConfig.Block
    func describe(_ block: Block) -> String {
      "\(block.resnetCount)×\(block.channels)"
        + (block.attention.map { " \($0.headCount) heads \($0.layerCounts)" } ?? "")
    }
    #expect(
      config.downBlocks.map(describe) == ["2×320", "2×640 10 heads [2, 2]", "2×1280 20 heads [10, 10]"])
    #expect(
      config.upBlocks.map(describe) == ["3×1280 20 heads [10, 10, 10]", "3×640 10 heads [2, 2, 2]", "3×320"])
    #expect(config.midAttention.headCount == 20)
    #expect(config.midAttention.layerCounts == [10])
    #expect(config.additionEmbedding?.inputDim == 2816)
    #expect(config.additionEmbedding?.timeEmbedDim == 256)
    #expect(config.timeEmbedDim == 1280)
    #expect(config.crossAttentionDim == 2048)
    #expect(config.sampleHeight == 64)
    #expect(config.sampleWidth == 64)
  }

  /// SD 2.1 leaves most keys to the class's defaults.
  @Test func expandsTheBlocksOfSD21() throws {
    let config = try scratch.decode(
      UNet2DConditionConfig.self, "unet",
      ["attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": true])
    #expect(config.blockOutChannels == [320, 640, 1280, 1280])
    #expect(config.downBlocks.map { $0.attention?.headCount } == [5, 10, 20, nil])
    #expect(config.upBlocks.map { $0.attention?.headCount } == [nil, 20, 10, 5])
    #expect(config.upBlocks.map(\.channels) == [1280, 1280, 640, 320])
    #expect(config.additionEmbedding == nil)
    #expect(config.sampleHeight == nil)
    #expect(config.normGroupCount == 32)
    #expect(config.normEpsilon == 1e-5)
  }

  @Test func readsListsAndSingleValuesAlike() throws {
    let blocks: [String: Any] = [
      "block_out_channels": [32, 64], "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
      "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    ]
    let lists = try scratch.decode(
      UNet2DConditionConfig.self, "unet",
      blocks.merging([
        "layers_per_block": [2, 2], "attention_head_dim": [8, 8], "cross_attention_dim": [1280, 1280],
        "transformer_layers_per_block": [1, 1], "sample_size": [32, 32], "only_cross_attention": [false, false],
      ]) { $1 })
    let singles = try scratch.decode(
      UNet2DConditionConfig.self, "unet",
      blocks.merging([
        "layers_per_block": 2, "attention_head_dim": 8, "cross_attention_dim": 1280,
        "transformer_layers_per_block": 1, "sample_size": 32, "only_cross_attention": false,
      ]) { $1 })
    #expect(lists == singles)
    #expect(try scratch.decode(UNet2DConditionConfig.self, "unet", blocks) != singles)  // No sample size.
  }

  /// SSD-1B's style: depths differ inside a block, and the up blocks have their own.
  @Test func readsNestedTransformerDepths() throws {
    var json = Self.sdxlUNet
    json["transformer_layers_per_block"] = [1, [2, 3], [4, 5]] as [Any]
    let error = try #require(try checkpointError { _ = try scratch.decode(UNet2DConditionConfig.self, "unet", json) })
    #expect(error.message.contains("reverse_transformer_layers_per_block is missing"))
    json["reverse_transformer_layers_per_block"] = [[4, 4, 10], [2, 1, 1], 1] as [Any]
    let config = try scratch.decode(UNet2DConditionConfig.self, "unet", json)
    #expect(config.downBlocks.map { $0.attention?.layerCounts } == [nil, [2, 3], [4, 5]])
    #expect(config.midAttention.layerCounts == [4])
    #expect(config.upBlocks.map { $0.attention?.layerCounts } == [[4, 4, 10], [2, 1, 1], nil])
  }

  /// Each value would make another network: it is refused with the file, the key, and what is legal.
  @Test(arguments: [
    ("act_fn", #""gelu""#, #"act_fn is "gelu"; supported: "silu", "swish""#),
    ("time_embedding_type", #""fourier""#, #"is "fourier"; supported: "positional""#),
    ("resnet_time_scale_shift", #""scale_shift""#, #"supported: "default""#),
    ("dual_cross_attention", "true", "is true; supported: false"), ("center_input_sample", "true", "supported: false"),
    ("only_cross_attention", "true", "supported: false"),
    ("only_cross_attention", "[false,true,false]", "supported: false"),
    ("class_embed_type", #""timestep""#, #"class_embed_type is "timestep"; supported: only null"#),
    ("num_class_embeds", "1000", "num_class_embeds is set; supported: only null"),
    ("addition_embed_type", #""image""#, #"is "image"; supported: "text_time", null"#),
    ("encoder_hid_dim", "768", "only null"), ("encoder_hid_dim_type", #""text_proj""#, "only null"),
    ("time_cond_proj_dim", "256", "only null"), ("num_attention_heads", "8", "only null"),
    ("mid_block_type", #""UNetMidBlock2D""#, #"supported: "UNetMidBlock2DCrossAttn""#),
    ("mid_block_type", "null", "is null; supported: a value"), ("norm_num_groups", "null", "is null"),
    ("layers_per_block", "null", "(then 2)"),
    ("mid_block_scale_factor", "1.4", "is 1.4; supported: 1.0"), ("conv_in_kernel", "5", "is 5; supported: 3"),
    ("downsample_padding", "0", "is 0; supported: 1"), ("attention_type", #""gated""#, "supported"),
    ("resnet_skip_time_act", "true", "supported: false"), ("cross_attention_norm", #""layer_norm""#, "only null"),
    ("timestep_post_act", #""silu""#, "only null"), ("time_embedding_act_fn", #""silu""#, "only null"),
    ("cross_attention_dim", "[768,768,1024]", "one width"), ("_class_name", #""UNet3DConditionModel""#, "UNet2D"),
    ("down_block_types", #"["DownBlock2D","AttnDownBlock2D","DownBlock2D"]"#, #"has "AttnDownBlock2D"; supported: "#),
  ]) func refusesUnsupportedUNets(key: String, value: String, fragment: String) throws {
    var json = Self.sdxlUNet
    json[key] = try parse(value)
    let error = try #require(try checkpointError { _ = try scratch.decode(UNet2DConditionConfig.self, "unet", json) })
    #expect(error.code == .unsupported)
    #expect(error.path == "\(scratch.path)/unet/config.json")
    #expect(error.message.hasPrefix(key + " "))
    #expect(error.message.contains(fragment), "\(error)")
  }

  /// Values that are no configuration of any network.
  @Test(arguments: [
    ("block_out_channels", "[]", "is empty"), ("block_out_channels", "[320,650,1280]", "does not divide"),
    ("block_out_channels", #""320""#, "wrong type"), ("layers_per_block", "0", "is 0, expected a whole number from 1"),
    ("layers_per_block", "[2,2]", "has 2 values, expected 3"),
    ("attention_head_dim", "[5,10,7]", "is 7 for a block of 1280"),
    ("attention_head_dim", "0", "is 0, expected"), ("norm_num_groups", "7", "is 7, which does not divide"),
    ("norm_num_groups", "-32", "is -32"), ("norm_eps", "0", "above 0"), ("sample_size", "[1,2,3]", "expected 2"),
    ("up_block_types", #"["UpBlock2D"]"#, "has 1 blocks, but block_out_channels has 3"),
    ("in_channels", "4.5", "wrong type"), ("in_channels", "9223372036854775807", "expected a whole number"),
    ("transformer_layers_per_block", "[1,2]", "expected 3"), ("use_linear_projection", "1", "wrong type"),
    ("addition_time_embed_dim", "null", "addition_time_embed_dim is missing"),
    ("addition_time_embed_dim", "255", "expected an even number"),
  ]) func refusesImpossibleUNets(key: String, value: String, fragment: String) throws {
    var json = Self.sdxlUNet
    json[key] = try parse(value)
    let error = try #require(try checkpointError { _ = try scratch.decode(UNet2DConditionConfig.self, "unet", json) })
    #expect(error.path == "\(scratch.path)/unet/config.json")
    #expect(error.message.contains(fragment), "\(error)")
  }

  @Test func readsTheVAE() throws {
    let config = try scratch.decode(
      AutoencoderKLConfig.self, "vae",
      [
        "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "scaling_factor": 0.13025,
        "down_block_types": Array(repeating: "DownEncoderBlock2D", count: 4),
        "up_block_types": Array(repeating: "UpDecoderBlock2D", count: 4), "mid_block_add_attention": false,
        "latents_mean": try parse("null"), "shift_factor": try parse("null"), "force_upcast": true,
        "use_quant_conv": false,
      ])
    #expect(config.downsamplingFactor == 8)
    #expect(config.scalingFactor == 0.13025)
    #expect(config.latentChannels == 4)
    #expect(config.normGroupCount == 32)
    #expect(!config.useQuantConv)
    #expect(config.usePostQuantConv)
    #expect(!config.midBlockAddAttention)
  }

  @Test(arguments: [
    ("latents_mean", "[0,0,0,0]", "only null"), ("shift_factor", "0.1", "only null"),
    ("act_fn", #""relu""#, "supported"),
    ("in_channels", "4", "is 4; supported: 3"), ("scaling_factor", "0", "above 0"),
    ("scaling_factor", "null", "is null; supported: a value, or no such key (then 0.18215)"),
    ("block_out_channels", "[64,128]", "has 1 blocks, but block_out_channels has 2"),
    ("up_block_types", #"["AttnUpDecoderBlock2D"]"#, #"has "AttnUpDecoderBlock2D""#),
  ]) func refusesUnsupportedVAEs(key: String, value: String, fragment: String) throws {
    let error = try #require(
      try checkpointError { _ = try scratch.decode(AutoencoderKLConfig.self, "vae", [key: try parse(value)]) })
    #expect(error.message.contains(fragment), "\(error)")
  }

  @Test func readsTheTextEncoder() throws {
    let json: [String: Any] = [
      "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
      "hidden_act": "gelu", "projection_dim": 1280, "eos_token_id": 2,
    ]
    let config = try scratch.decode(CLIPTextConfig.self, "text_encoder", json)
    #expect(config.hiddenActivation == .gelu)
    #expect(config.layerCount == 32)
    #expect(config.headCount == 20)
    #expect(config.endOfTextID == 2)
    #expect(config.vocabularySize == 49408)
    #expect(config.maxPositionEmbeddings == 77)
    #expect(config.layerNormEpsilon == 1e-5)
    #expect(try scratch.decode(CLIPTextConfig.self, "text_encoder", ["text_config": json]) == config)
    #expect(try scratch.decode(CLIPTextConfig.self, "text_encoder", [:]).hiddenActivation == .quickGELU)
    let error = try checkpointError {
      _ = try scratch.decode(CLIPTextConfig.self, "text_encoder", ["hidden_act": "gelu_new"])
    }
    #expect(error?.message == #"hidden_act is "gelu_new"; supported: "quick_gelu", "gelu""#)
  }

  @Test func readsTheScheduler() throws {
    let config = try scratch.decode(
      SchedulerConfig.self, "scheduler",
      [
        "_class_name": "EulerAncestralDiscreteScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
        "beta_end": 0.012, "timestep_spacing": "trailing", "steps_offset": 1, "clip_sample": false,
        "trained_betas": [0.1, 0.2], "sigma_min": 0.5,
      ])
    #expect(config.className == "EulerAncestralDiscreteScheduler")
    #expect(config.trainTimestepCount == 1000)
    #expect(config.betaStart == 0.00085)
    #expect(config.timestepSpacing == "trailing")
    #expect(config.trainedBetas == [0.1, 0.2])
    #expect(config.sigmaMin == 0.5)
    #expect(config.predictionType == "epsilon")
    #expect(try scratch.decode(SchedulerConfig.self, "scheduler", [:]) == SchedulerConfig())
  }
}
