internal import Tensors

/// Layer normalisation (Ba, Kiros and Hinton 2016) over the last dimension.
struct LayerNorm: Sendable {
  private let device: any Device
  private let epsilon: Float
  private let scale: Tensor, bias: Tensor

  init(_ weights: ModuleWeights, features: Int, epsilon: Float) throws {
    device = weights.device
    self.epsilon = epsilon
    scale = try weights.vector("weight", features)
    bias = try weights.vector("bias", features)
  }

  func callAsFunction(_ x: Tensor) throws -> Tensor {
    try device.layerNorm(x, epsilon: epsilon, scale: scale, bias: bias)
  }
}
