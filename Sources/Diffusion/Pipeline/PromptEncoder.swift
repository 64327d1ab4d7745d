internal import Tensors

/// From text to what the UNet is conditioned on: one tokenizer and encoder, or SDXL's two.
struct PromptEncoder: Sendable {
  /// A tokenizer and the encoder that was trained with it.
  struct Encoder: Sendable {
    let tokenizer: CLIPTokenizer
    let model: CLIPTextModel
  }

  /// A prompt as the UNet sees it.
  struct Embedding: Sendable {
    /// `[1, T, K]`: the encoders' contexts side by side, in the encoders' order.
    let context: Tensor
    /// `[1, P]`, from the encoder that has a projection; nil in SD.
    let pooled: Tensor?

    /// What SDXL uses instead of a negative prompt when there is none.
    var zeros: Embedding {
      Embedding(context: context.mapElements { _ in 0 }, pooled: pooled?.mapElements { _ in 0 })
    }
  }

  /// In the order in which their contexts are joined.
  let encoders: [Encoder]
  /// Which layer of each encoder is the context.
  let readout: CLIPTextModel.Readout
  /// Whether no negative prompt means zeros rather than the encoding of an empty text.
  let zerosWithoutNegativePrompt: Bool
  /// Joins contexts.
  let device: any Device

  /// Encodes `text`. Warns of each part that does not fit.
  /// - Parameter field: the request's name for it, `prompt` or `negative_prompt`.
  func encode(
    _ text: String, field: String, warnings: inout [String], meter: WorkMeter, trace: TraceRecorder?
  ) throws -> Embedding {
    let prefix = field == "prompt" ? "" : "negative_"
    var context: Tensor?
    var pooled: Tensor?
    for (index, encoder) in encoders.enumerated() {
      let tokens = encoder.tokenizer.encode(text)
      trace?.record(prefix + (index == 0 ? "input_ids" : "input_ids_\(index + 1)"), ids: [tokens.ids])
      if let cut = tokens.truncatedText {
        let warning =
          "\(field) is longer than \(encoder.tokenizer.maxLength) tokens; this end of it was ignored: “\(cut)”"
        if !warnings.contains(warning) { warnings.append(warning) }
      }
      let output = try encoder.model([tokens.ids], readout: readout, meter: meter)
      context = try context.map { try device.concatenate($0, output.context) } ?? output.context
      pooled = output.pooled ?? pooled
    }
    guard let context else { preconditionFailure("a prompt encoder has at least one encoder") }
    let embedding = Embedding(
      context: try context.requireFinite("the encoded \(field)"),
      pooled: try pooled?.requireFinite("the pooled \(field)"))
    trace?.record(prefix + "prompt_embeds", embedding.context)
    if let pooled = embedding.pooled { trace?.record(prefix + "pooled_prompt_embeds", pooled) }
    return embedding
  }

  /// Tokens of an encoded prompt.
  var length: Int { encoders.first?.tokenizer.maxLength ?? 0 }

  /// Multiply-accumulates of encoding one text.
  var cost: Double {
    encoders.reduce(0) { $0 + $1.model.cost(length: $1.tokenizer.maxLength, readout: readout) }
  }
}
