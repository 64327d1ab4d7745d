/// The blocks of a UNet, expanded from the per-block lists of `unet/config.json` as diffusers'
/// `UNet2DConditionModel.__init__` expands them.
struct UNetBlockLayout {
  let channels: [Int]
  let crossAttentionDim: Int
  let downBlocks: [UNet2DConditionConfig.Block]
  let midAttention: UNet2DConditionConfig.Attention
  let upBlocks: [UNet2DConditionConfig.Block]

  init(_ config: ConfigReader, normGroupCount: Int) throws {
    let channels: [Int] = try config.value("block_out_channels", default: [320, 640, 1280, 1280])
    let count = channels.count
    guard count >= 1 else { throw ConfigProblem(key: "block_out_channels", message: "is empty") }
    for width in channels where try config.checkCount(width, "block_out_channels") % normGroupCount != 0 {
      throw ConfigProblem(
        key: "norm_num_groups", message: "is \(normGroupCount), which does not divide block_out_channels \(width)")
    }
    self.channels = channels

    let downAttention = try Self.attention(
      config, "down_block_types", count: count, attention: "CrossAttnDownBlock2D", plain: "DownBlock2D",
      default: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"])
    let upAttention = try Self.attention(
      config, "up_block_types", count: count, attention: "CrossAttnUpBlock2D", plain: "UpBlock2D",
      default: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"])

    let resnets = try config.value("layers_per_block", default: OneOrMany<Int>.one(2))
      .expanded(to: count, key: "layers_per_block")
    for value in resnets { _ = try config.checkCount(value, "layers_per_block") }

    // The published key is a misnomer that diffusers keeps for compatibility: it holds the number of heads.
    let heads = try config.value("attention_head_dim", default: OneOrMany<Int>.one(8))
      .expanded(to: count, key: "attention_head_dim")
    for (index, value) in heads.enumerated() {
      let isUsed = downAttention[index] || upAttention[count - 1 - index] || index == count - 1
      guard try channels[index] % config.checkCount(value, "attention_head_dim") == 0 || !isUsed else {
        throw ConfigProblem(
          key: "attention_head_dim",
          message: "is \(value) for a block of \(channels[index]) channels, expected a divisor (a number of heads)")
      }
    }

    let widths = try config.value("cross_attention_dim", default: OneOrMany<Int>.one(1280))
      .expanded(to: count, key: "cross_attention_dim")
    guard Set(widths).count == 1 else {
      throw ConfigProblem(
        key: "cross_attention_dim", message: "is \(widths); supported: one width for all blocks", isUnsupported: true)
    }
    crossAttentionDim = try config.checkCount(widths[0], "cross_attention_dim")

    let depths = try config.value("transformer_layers_per_block", default: OneOrMany<OneOrMany<Int>>.one(.one(1)))
      .expanded(to: count, key: "transformer_layers_per_block")
    let upDepths = try Self.reversedDepths(config, of: depths)

    downBlocks = try (0..<count).map { index in
      try Self.block(
        config, channels: channels[index], resnets: resnets[index], heads: heads[index],
        depths: downAttention[index] ? depths[index] : nil)
    }
    midAttention = .init(
      headCount: heads[count - 1],
      layerCounts: try Self.layers(config, depths[count - 1], resnets: 1, allowingMore: true))
    upBlocks = try (0..<count).map { index in
      // An up block has one resnet more than its twin: it also takes the skip connection that came before it.
      try Self.block(
        config, channels: channels[count - 1 - index], resnets: resnets[count - 1 - index] + 1,
        heads: heads[count - 1 - index], depths: upAttention[index] ? upDepths[index] : nil)
    }
  }

  private static func attention(
    _ config: ConfigReader, _ key: String, count: Int, attention: String, plain: String, default value: [String]
  ) throws -> [Bool] {
    let types = try config.value(key, default: value)
    for type in types where type != attention && type != plain {
      throw ConfigProblem(
        key: key, message: "has \(quoted(type)); supported: \(quoted(attention)), \(quoted(plain))",
        isUnsupported: true)
    }
    guard types.count == count else {
      throw ConfigProblem(key: key, message: "has \(types.count) blocks, but block_out_channels has \(count)")
    }
    return types.map { $0 == attention }
  }

  /// Transformer depths of the up blocks. Depths that differ inside a block have no natural reverse, so the file
  /// must then say it.
  private static func reversedDepths(_ config: ConfigReader, of depths: [OneOrMany<Int>]) throws -> [OneOrMany<Int>] {
    let key = "reverse_transformer_layers_per_block"
    if let given: [OneOrMany<Int>] = try config.optional(key) {
      return try OneOrMany.many(given).expanded(to: depths.count, key: key)
    }
    for case .many in depths {
      throw ConfigProblem(key: key, message: "is missing: transformer_layers_per_block differs inside a block")
    }
    return depths.reversed()
  }

  private static func block(
    _ config: ConfigReader, channels: Int, resnets: Int, heads: Int, depths: OneOrMany<Int>?
  ) throws -> UNet2DConditionConfig.Block {
    let attention = try depths.map {
      UNet2DConditionConfig.Attention(headCount: heads, layerCounts: try layers(config, $0, resnets: resnets))
    }
    return .init(channels: channels, resnetCount: resnets, attention: attention)
  }

  private static func layers(
    _ config: ConfigReader, _ depths: OneOrMany<Int>, resnets: Int, allowingMore: Bool = false
  ) throws -> [Int] {
    let key = "transformer_layers_per_block"
    var counts: [Int]
    if allowingMore, case .many(let list) = depths, list.count > resnets {
      counts = Array(list.prefix(resnets))  // The middle block reads only the entries that it has resnets for.
    } else {
      counts = try depths.expanded(to: resnets, key: key)
    }
    for count in counts { _ = try config.checkCount(count, key) }
    return counts
  }
}
