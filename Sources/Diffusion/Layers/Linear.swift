internal import Tensors

/// `torch.nn.Linear`: `x · Wᵀ + b` over the last dimension.
///
/// Over channels-last pixels a 1×1 convolution is the same sum, so those are linear layers too; the store accepts
/// their `[out, in, 1, 1]`.
struct Linear: Sendable {
  private let device: any Device
  private let packed: LinearWeights

  init(_ weights: ModuleWeights, _ inFeatures: Int, _ outFeatures: Int, bias: Bool = true) throws {
    device = weights.device
    packed = try weights.linear(inFeatures, outFeatures, hasBias: bias)
  }

  /// x `[…, in]` → `activation(x · Wᵀ + b) + residual`, `[…, out]`; `.geglu` halves `out`.
  func callAsFunction(_ x: Tensor, activation: Activation = .none, residual: Tensor? = nil) throws -> Tensor {
    try device.linear(x, packed, activation: activation, residual: residual)
  }

  /// Multiply-accumulates for `rows` rows.
  func cost(rows: Int) -> Double { Double(rows) * Double(packed.inFeatures) * Double(packed.outFeatures) }
}
