internal import Tensors

/// Group normalisation (Wu and He 2018) over `[N, H, W, C]`.
struct GroupNorm: Sendable {
  private let device: any Device
  private let normalization: GroupNormalization

  init(_ weights: ModuleWeights, channels: Int, groups: Int, epsilon: Float) throws {
    guard groups > 0, channels.isMultiple(of: groups) else {
      throw DiffusionError(
        .checkpoint,
        "\(weights.path): \(channels) channels do not divide into norm_num_groups = \(groups); "
          + "correct the component's config.json")
    }
    device = weights.device
    normalization = GroupNormalization(
      groups: groups, epsilon: epsilon, scale: try weights.vector("weight", channels),
      bias: try weights.vector("bias", channels))
  }

  func callAsFunction(_ x: Tensor) throws -> Tensor { try device.groupNorm(x, normalization) }

  /// This norm and SiLU, for the convolution that follows them to evaluate as it reads its input.
  var silu: GroupNormalization {
    var normalization = normalization
    normalization.activation = .silu
    return normalization
  }
}
