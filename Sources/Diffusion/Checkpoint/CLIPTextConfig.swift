public import Tensors

/// `text_encoder/config.json`: the shape of a CLIP text transformer. Defaults are those of transformers'
/// `CLIPTextConfig`.
public struct CLIPTextConfig: Decodable, Sendable, Equatable {
  /// Rows of the token embedding table.
  public let vocabularySize: Int
  /// Width of a token.
  public let hiddenSize: Int
  /// Width inside the MLP.
  public let intermediateSize: Int
  /// Transformer layers.
  public let layerCount: Int
  /// Attention heads; they divide `hiddenSize`.
  public let headCount: Int
  /// Rows of the position embedding table: the tokens of a prompt, start and end included.
  public let maxPositionEmbeddings: Int
  /// Width of the pooled output of an encoder with a projection.
  public let projectionDim: Int
  /// Of every layer norm.
  public let layerNormEpsilon: Float
  /// The MLP's activation: `.quickGELU` or `.gelu`.
  public let hiddenActivation: Activation
  /// The end-of-text id as the file has it. The published SDXL encoders have the legacy value 2, which means: the
  /// first position of the highest id.
  public let endOfTextID: Int

  /// Reads the published keys; refuses activations that this core does not compute.
  public init(from decoder: any Decoder) throws {
    let file = try ConfigReader(decoder)
    // A configuration exported from a whole CLIP model nests the text half.
    let config = try file.nested("text_config") ?? file
    vocabularySize = try config.count("vocab_size", default: 49408)
    hiddenSize = try config.count("hidden_size", default: 512)
    intermediateSize = try config.count("intermediate_size", default: 2048)
    layerCount = try config.count("num_hidden_layers", default: 12)
    headCount = try config.count("num_attention_heads", default: 8)
    maxPositionEmbeddings = try config.count("max_position_embeddings", default: 77)
    projectionDim = try config.count("projection_dim", default: 512)
    layerNormEpsilon = Float(try config.positiveNumber("layer_norm_eps", default: 1e-5))
    endOfTextID = try config.value("eos_token_id", default: 49407)
    try config.only("hidden_act", ["quick_gelu", "gelu"], default: "quick_gelu")
    hiddenActivation = try config.value("hidden_act", default: "quick_gelu") == "gelu" ? .gelu : .quickGELU
    guard hiddenSize % headCount == 0 else {
      throw ConfigProblem(
        key: "num_attention_heads", message: "is \(headCount), which does not divide hidden_size \(hiddenSize)")
    }
  }
}
