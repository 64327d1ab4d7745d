public import Tensors

extension DiffusionPipeline {
  /// Loads a model folder in the diffusers layout.
  ///
  /// - Parameters:
  ///   - folder: the one that holds `model_index.json`.
  ///   - device: computes, and packs the weights for itself.
  ///   - quantization: which layers are rounded; nil for none. Weights of linear ones are made, which takes some seconds for a large
  ///     model, and kept for the next time.
  ///   - progress: told the share that is loaded, 0…1, before each tensor and at the end. What it throws ends the loading at
  ///     once: reading a large checkpoint takes minutes from a slow disk, and whoever asks to stop should not wait for it.
  /// - Throws: what `progress` throws; ``CheckpointError``, ``DiffusionError`` (`checkpoint`) or ``SchedulerError``, naming the file, the key or
  ///   the tensor at fault. Every tensor of every file is consumed once, with the shape that the configuration demands.
  public static func load(
    from folder: String, device: any Device, quantization: Quantization? = nil,
    progress: @escaping (Double) throws -> Void = { _ in }
  ) throws -> DiffusionPipeline {
    let checkpoint = try CheckpointFolder(path: folder)
    let index = checkpoint.index
    let components = index.weightComponents
    let isPlanning = device is PlanningDevice
    var loaded = 0
    var mapped = MappedWeights()

    /// Builds one network and makes sure that nothing of its files is left over.
    func load<Network>(_ component: String, _ build: (WeightStore) throws -> Network) throws -> Network {
      let before = loaded
      let report = { share in try progress((Double(before) + share) / Double(components.count)) }
      let store =
        if let quantization {
          try checkpoint.weights(component: component, quantization, willCompute: !isPlanning, progress: report)
        } else {
          try checkpoint.weights(component: component, prefetches: !isPlanning)
        }
      store.willTake = report
      let network = try build(store)
      try store.finish()
      mapped.add(store)
      loaded += 1
      try progress(Double(loaded) / Double(components.count))
      return network
    }

    let unetConfig = try checkpoint.config(UNet2DConditionConfig.self, component: "unet")
    let vaeConfig = try checkpoint.config(AutoencoderKLConfig.self, component: "vae")
    let textConfigs = try components.filter { $0.hasPrefix("text_encoder") }.map {
      (name: $0, config: try checkpoint.config(CLIPTextConfig.self, component: $0))
    }
    let scheduler = try checkpoint.config(SchedulerConfig.self, component: "scheduler")
      .makeScheduler(className: index.schedulerClass)
    let hasProjection = { (name: String) in index.components[name] == "CLIPTextModelWithProjection" }
    try requireMatching(
      unetConfig, vaeConfig, contextWidth: textConfigs.reduce(0) { $0 + $1.config.hiddenSize },
      pooledWidth: textConfigs.last { hasProjection($0.name) }?.config.projectionDim)

    let encoders = try textConfigs.map { name, config in
      PromptEncoder.Encoder(
        tokenizer: try CLIPTokenizer(
          folder: checkpoint.folder(of: name.replacing("text_encoder", with: "tokenizer"))),
        model: try load(name) {
          try CLIPTextModel(config, weights: $0, hasProjection: hasProjection(name), device: device)
        })
    }
    let unet = try load("unet") { try UNet2DConditionModel(unetConfig, weights: $0, device: device) }
    let vae = try load("vae") { try AutoencoderKL(vaeConfig, weights: $0, device: device) }

    let isXL = index.family == .sdxlTurbo
    let factor = vaeConfig.downsamplingFactor
    return DiffusionPipeline(
      info: ModelInfo(
        family: index.family, defaultWidth: (unetConfig.sampleWidth ?? 64) * factor,
        defaultHeight: (unetConfig.sampleHeight ?? 64) * factor, downsamplingFactor: factor,
        checkpoint: try checkpoint.summary()),
      device: device,
      promptEncoder: PromptEncoder(
        encoders: encoders, readout: isXL ? .penultimateLayer : .lastLayerNormalized,
        zerosWithoutNegativePrompt: isXL && index.forceZerosForEmptyPrompt, device: device),
      unet: unet, vae: vae, scheduler: scheduler, latentChannels: vaeConfig.latentChannels,
      scalingFactor: vaeConfig.scalingFactor, precision: quantization == nil ? .fp32 : .int8, mapped: mapped,
      arena: TensorArena(isPlanning: isPlanning))
  }

  /// Refuses components that cannot work together, each of which may be sound in itself.
  private static func requireMatching(
    _ unet: UNet2DConditionConfig, _ vae: AutoencoderKLConfig, contextWidth: Int, pooledWidth: Int?
  ) throws {
    func require(_ found: Int, _ expected: Int, _ what: String, _ source: String) throws {
      guard found != expected else { return }
      throw DiffusionError(
        .checkpoint,
        "unet/config.json: \(what) is \(found), but \(source) is \(expected); the components do not belong together")
    }
    try require(unet.inChannels, vae.latentChannels, "in_channels", "the VAE's latent_channels")
    try require(unet.outChannels, vae.latentChannels, "out_channels", "the VAE's latent_channels")
    try require(
      unet.crossAttentionDim, contextWidth, "cross_attention_dim", "the width of the text encoders' outputs together")
    guard let added = unet.additionEmbedding else { return }
    guard let pooledWidth else {
      throw DiffusionError(
        .checkpoint,
        "unet/config.json: addition_embed_type is text_time, but model_index.json has no text encoder with a "
          + "projection")
    }
    try require(
      added.inputDim, pooledWidth + 6 * added.timeEmbedDim, "projection_class_embeddings_input_dim",
      "the pooled text's width plus six times addition_time_embed_dim")
  }
}
