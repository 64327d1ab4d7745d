/// What a loaded model is.
public struct ModelInfo: Sendable, Equatable {
  /// Which pipeline runs it.
  public let family: ModelIndex.Family
  /// The size in pixels that it was trained for, used when a request names none.
  public let defaultWidth: Int, defaultHeight: Int
  /// Pixels along the side of one latent. Sizes are multiples of it, and of ``GenerationLimits/sizeMultiple``.
  public let downsamplingFactor: Int
  /// Its files: element types and number of weights of each component. Arithmetic is fp32 whatever the types are.
  public let checkpoint: CheckpointSummary
}
