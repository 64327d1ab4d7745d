internal import Tensors

/// Which layers are rounded: most linear layers to int8; convolutions, attention and the other linear layers to int16.
///
/// Layers are judged by their kind: what a layer does in its block decides how wide its inputs spread, far more than where the block is.
/// `FidelityBenchmark MODEL --sensitivity` measures, one kind at a time, how far the UNet's output moves when that kind alone is rounded.
public struct QuantizationRule: Sendable, Equatable {
  /// What a layer is in its block. The name is the one that the benchmark prints.
  public enum Kind: String, Sendable, CaseIterable {
    /// UNet: embeddings of timestep, size and pooled text, and their projections into the residual blocks. One row each.
    case embedding
    /// UNet: 1×1 convolutions beside the residual blocks, in int16.
    case shortcut
    /// UNet: projections in front of and behind a transformer.
    case projectionIn = "proj_in"
    case projectionOut = "proj_out"
    /// UNet: self-attention.
    case selfAttentionInput = "attn1.qkv"
    case selfAttentionOutput = "attn1.out"
    /// UNet: attention to the text; keys and values are made once for a prompt.
    case crossAttentionQuery = "attn2.q"
    case crossAttentionText = "attn2.kv"
    case crossAttentionOutput = "attn2.out"
    /// UNet: the gated perceptron.
    case feedForwardInput = "ff.in"
    case feedForwardOutput = "ff.out"
    /// Text encoders.
    case textAttentionInput = "text.qkv"
    case textAttentionOutput = "text.out"
    case textInput = "text.fc1"
    case textOutput = "text.fc2"
    /// Text encoders: the projection of the pooled text. One row.
    case textProjection = "text.projection"
    /// 3×3 convolutions, in int16. The first and the last of each network are none of these: they are little work.
    case unetConvolution = "unet.conv"
    case decoderConvolution = "decoder.conv"
    case encoderConvolution = "encoder.conv"
    /// VAE: 1×1 convolutions beside the residual blocks and the attention's projections, in int16.
    case decoderLinear = "decoder.linear"
    case encoderLinear = "encoder.linear"
    /// Attention's own two products, in int16.
    case unetAttention = "unet.attention"
    case decoderAttention = "decoder.attention"
    case encoderAttention = "encoder.attention"

    /// Whether it is multiplied in int16 rather than int8.
    public var isInt16: Bool {
      switch self {
      case .shortcut, .unetConvolution, .decoderConvolution, .encoderConvolution, .decoderLinear, .encoderLinear,
        .unetAttention, .decoderAttention, .encoderAttention:
        true
      default: false
      }
    }

    /// The kind of attention by the name of its module; nil for the text encoders', which is too little work.
    init?(component: String, attention path: String) {
      switch component {
      case "unet": self = .unetAttention
      case "vae": self = path.hasPrefix("encoder.") ? .encoderAttention : .decoderAttention
      default: return nil
      }
    }

    /// The kind of a layer by its name in the checkpoint; nil for what is none of these.
    init?(component: String, name: String) {
      guard name.hasSuffix(".weight") else { return nil }
      let path = name.dropLast(".weight".count)
      func ends(_ suffixes: String...) -> Bool { suffixes.contains { path.hasSuffix($0) } }
      if component.hasPrefix("text_encoder") {
        if ends(".q_proj", ".k_proj", ".v_proj") {
          self = .textAttentionInput
        } else if ends(".out_proj") {
          self = .textAttentionOutput
        } else if ends(".fc1") {
          self = .textInput
        } else if ends(".fc2") {
          self = .textOutput
        } else if path == "text_projection" {
          self = .textProjection
        } else {
          return nil
        }
      } else if component == "unet" {
        if ends("time_emb_proj", "embedding.linear_1", "embedding.linear_2") {
          self = .embedding
        } else if ends(".conv_shortcut") {
          self = .shortcut
        } else if ends(".proj_in") {
          self = .projectionIn
        } else if ends(".proj_out") {
          self = .projectionOut
        } else if ends(".attn1.to_q", ".attn1.to_k", ".attn1.to_v") {
          self = .selfAttentionInput
        } else if ends(".attn1.to_out.0") {
          self = .selfAttentionOutput
        } else if ends(".attn2.to_q") {
          self = .crossAttentionQuery
        } else if ends(".attn2.to_k", ".attn2.to_v") {
          self = .crossAttentionText
        } else if ends(".attn2.to_out.0") {
          self = .crossAttentionOutput
        } else if ends(".ff.net.0.proj") {
          self = .feedForwardInput
        } else if ends(".ff.net.2") {
          self = .feedForwardOutput
        } else if ends(".conv1", ".conv2", ".conv") {
          self = .unetConvolution
        } else {
          return nil
        }
      } else if component == "vae", ends(".conv1", ".conv2", ".conv") {
        self = path.hasPrefix("encoder.") ? .encoderConvolution : .decoderConvolution
      } else if component == "vae",
        ends(".conv_shortcut", ".to_q", ".to_k", ".to_v", ".to_out.0")
      {
        self = path.hasPrefix("encoder.") ? .encoderLinear : .decoderLinear
      } else {
        return nil
      }
    }
  }

  /// The kinds that are rounded.
  public var kinds: Set<Kind>

  /// A rule of one's own, to measure with.
  public init(_ kinds: Set<Kind>) { self.kinds = kinds }

  /// All kinds but two: layers of one row would gain nothing, they are bound by memory and take a thousandth of the time. That
  /// shortcuts are int16 was measured, too: they carry what blocks before have added up, not normalised, channels of very different size
  /// in one row, and in int8 they alone moved the UNet's output a hundred times as far as any other kind.
  public static let measured = QuantizationRule(Set(Kind.allCases).subtracting([.embedding, .textProjection]))

  /// Whether a linear layer is to be in int8.
  func selectsInt8(component: String, name: String) -> Bool {
    Kind(component: component, name: name).map { !$0.isInt16 && kinds.contains($0) } ?? false
  }

  /// What a layer that is not in int8 may be multiplied in.
  func arithmetic(_ kind: Kind?) -> LayerArithmetic {
    kind.map { $0.isInt16 && kinds.contains($0) } == true ? .int16 : .fp32
  }
}
