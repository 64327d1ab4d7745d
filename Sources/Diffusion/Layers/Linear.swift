internal import Tensors

/// `torch.nn.Linear`: `x · Wᵀ + b` over the last dimension.
struct Linear: Sendable {
  /// How the checkpoint stores the weight.
  enum Stored {
    /// `[out, in]`.
    case matrix
    /// `[out, in, 1, 1]`: a 1×1 convolution, which over channels-last pixels is the same sum.
    case pointwiseConvolution
  }

  private let device: any Device
  private let packed: LinearWeights

  init(
    _ weights: ModuleWeights, _ inFeatures: Int, _ outFeatures: Int, bias: Bool = true, stored: Stored = .matrix
  ) throws {
    let shape = [outFeatures, inFeatures]
    let weight =
      switch stored {
      case .matrix: try weights.take("weight", shape)
      case .pointwiseConvolution: try weights.take("weight", shape + [1, 1]).reshaped(shape)
      }
    device = weights.device
    packed = try device.linearWeights(weight, bias: bias ? weights.take("bias", [outFeatures]) : nil)
  }

  /// x `[…, in]` → `activation(x · Wᵀ + b) + residual`, `[…, out]`; `.geglu` halves `out`.
  func callAsFunction(_ x: Tensor, activation: Activation = .none, residual: Tensor? = nil) throws -> Tensor {
    try device.linear(x, packed, activation: activation, residual: residual)
  }

  /// Multiply-accumulates for `rows` rows.
  func cost(rows: Int) -> Double { Double(rows) * Double(packed.inFeatures) * Double(packed.outFeatures) }
}
