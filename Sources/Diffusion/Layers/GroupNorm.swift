internal import Tensors

/// Group normalisation (Wu and He 2018) over `[N, H, W, C]`, with the activation that follows it.
struct GroupNorm: Sendable {
  private let device: any Device
  private let groups: Int
  private let epsilon: Float
  private let scale: Tensor, bias: Tensor

  init(_ weights: ModuleWeights, channels: Int, groups: Int, epsilon: Float) throws {
    guard groups > 0, channels.isMultiple(of: groups) else {
      throw DiffusionError(
        .checkpoint,
        "\(weights.path): \(channels) channels do not divide into norm_num_groups = \(groups); "
          + "correct the component's config.json")
    }
    device = weights.device
    self.groups = groups
    self.epsilon = epsilon
    scale = try weights.vector("weight", channels)
    bias = try weights.vector("bias", channels)
  }

  func callAsFunction(_ x: Tensor, activation: Activation = .none) throws -> Tensor {
    try device.groupNorm(x, groups: groups, epsilon: epsilon, scale: scale, bias: bias, activation: activation)
  }
}
