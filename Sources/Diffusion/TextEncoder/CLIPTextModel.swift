package import Tensors

/// The text transformer of CLIP (Radford et al. 2021), OpenAI's and OpenCLIP's alike: the configuration says which.
package struct CLIPTextModel: Sendable {
  /// Which layer's output is the context that the UNet attends to.
  package enum Readout: Sendable {
    /// The last layer's, normalised (Stable Diffusion 2). The published SD 2 encoders were exported without
    /// OpenCLIP's last layer, so this is what their authors call the penultimate one.
    case lastLayerNormalized
    /// The last layer's but one, as it is (Stable Diffusion XL).
    case penultimateLayer
  }

  /// What the UNet is conditioned on.
  package struct Output: Sendable {
    /// `[N, T, C]`
    package let context: Tensor
    /// `text_projection` of the normalised last layer at the end-of-text token, `[N, P]`; nil without a projection.
    package let pooled: Tensor?
  }

  private let device: any Device
  private let config: CLIPTextConfig
  private let tokenEmbedding: Parameter, positionEmbedding: Parameter
  private let layers: [CLIPEncoderLayer]
  private let finalLayerNorm: LayerNorm
  private let textProjection: Linear?

  /// Loads the encoder.
  /// - Parameter hasProjection: true for a `CLIPTextModelWithProjection`.
  package init(_ config: CLIPTextConfig, weights store: WeightStore, hasProjection: Bool, device: any Device) throws {
    let weights = ModuleWeights(store: store, device: device)
    let width = config.hiddenSize
    self.device = device
    self.config = config
    let embeddings = weights["embeddings"]
    tokenEmbedding = try embeddings.table("token_embedding.weight", [config.vocabularySize, width])
    positionEmbedding = try embeddings.take("position_embedding.weight", [config.maxPositionEmbeddings, width])
    layers = try (0..<config.layerCount).map { try CLIPEncoderLayer(weights["encoder.layers", $0], config) }
    finalLayerNorm = try LayerNorm(
      weights["final_layer_norm"], features: width, epsilon: config.layerNormEpsilon)
    textProjection =
      hasProjection ? try Linear(weights["text_projection"], width, config.projectionDim, bias: false) : nil
  }

  /// Encodes token ids `[N][T]`, padding included: there is no mask, so the padding's keys are attended to as well.
  package func callAsFunction(_ ids: [[Int32]], readout: Readout, meter: WorkMeter) throws -> Output {
    let length = try checkedLength(ids)
    let positions = try device.embedding([(0..<Int32(length)).map { $0 }], table: positionEmbedding)
    var x = try device.addBroadcast(
      device.embedding(ids, table: tokenEmbedding), positions.reshaped([length, config.hiddenSize]))
    var penultimate = x
    for (index, layer) in layers.prefix(layersRun(readout)).enumerated() {
      x = try layer(x)
      if index == layers.count - 2 { penultimate = x }
      try meter.advance(Double(ids.count) * layer.cost(tokens: length))
    }
    switch readout {
    case .lastLayerNormalized:
      let normed = try finalLayerNorm(x)
      return Output(context: normed, pooled: try pool(normed, ids))
    case .penultimateLayer:
      return Output(context: penultimate, pooled: textProjection == nil ? nil : try pool(finalLayerNorm(x), ids))
    }
  }

  /// Multiply-accumulates for one sequence of `length` tokens.
  func cost(length: Int, readout: Readout) -> Double {
    layers.prefix(layersRun(readout)).reduce(0) { $0 + $1.cost(tokens: length) }
  }

  /// Only the normalised readout and the pooled vector need the last layer.
  private func layersRun(_ readout: Readout) -> Int {
    readout == .penultimateLayer && textProjection == nil ? layers.count - 1 : layers.count
  }

  /// `text_projection` of each sequence's end-of-text token.
  private func pool(_ normed: Tensor, _ ids: [[Int32]]) throws -> Tensor? {
    guard let textProjection else { return nil }
    let width = config.hiddenSize
    let rows = normed.withElements { elements in
      ids.enumerated().flatMap { index, sequence in
        let start = (index * sequence.count + endOfTextPosition(sequence)) * width
        return (start..<start + width).map { elements[$0] }
      }
    }
    return try textProjection(Tensor(rows, shape: [ids.count, width]))
  }

  /// Where the pooled vector is read: the first end-of-text token.
  private func endOfTextPosition(_ ids: [Int32]) -> Int {
    // Encoders published before transformers 4.31 carry eos_token_id 2, which is no id of their vocabulary; there the
    // end of the text is the highest id, and the first of equals.
    let end = config.endOfTextID == 2 ? ids.max() : Int32(config.endOfTextID)
    return ids.firstIndex { $0 == end } ?? 0
  }

  private func checkedLength(_ ids: [[Int32]]) throws -> Int {
    let length = ids.first?.count ?? 0
    guard length > 0, ids.allSatisfy({ $0.count == length }), length <= config.maxPositionEmbeddings else {
      throw DiffusionError(
        .checkpoint,
        "the tokenizer makes sequences of \(ids.map(\.count)) tokens, but the text encoder has "
          + "\(config.maxPositionEmbeddings) positions; the tokenizer's model_max_length and the encoder's "
          + "max_position_embeddings must belong together")
    }
    if let id = ids.joined().first(where: { $0 < 0 || $0 >= config.vocabularySize }) {
      throw DiffusionError(
        .checkpoint,
        "the tokenizer makes the id \(id), but the text encoder's vocabulary has \(config.vocabularySize) entries; "
          + "tokenizer and text encoder must come from one checkpoint")
    }
    return length
  }
}
