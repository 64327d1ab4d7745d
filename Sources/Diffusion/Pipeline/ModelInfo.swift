public import Tensors

/// What a loaded model is.
public struct ModelInfo: Sendable, Equatable {
  /// Which pipeline runs it.
  public let family: ModelIndex.Family
  /// The size in pixels that it was trained for, used when a request names none.
  public let defaultWidth: Int, defaultHeight: Int
  /// Pixels along the side of one latent; sizes must be multiples of it.
  public let downsamplingFactor: Int
  /// Identifies the weights: the same files give the same identifier on every machine.
  public let fingerprint: String
  /// Element types of the stored weights, most elements first. Arithmetic is fp32 whatever they are.
  public let dtypes: [DType]
  /// Number of weights by component: `text_encoder`, `text_encoder_2`, `unet`, `vae`.
  public let parameterCounts: [String: Int]
}
