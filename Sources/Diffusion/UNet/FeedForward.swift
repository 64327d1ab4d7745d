internal import Tensors

/// The gated perceptron of a transformer layer (GEGLU, Shazeer 2020): widens four times, gates, narrows.
struct FeedForward: Sendable {
  private let projection: Linear, output: Linear

  init(_ weights: ModuleWeights, features: Int) throws {
    // The gate and what it gates come from one product: hence eight times the width.
    projection = try Linear(weights["net.0.proj"], features, 8 * features)
    output = try Linear(weights["net", 2], 4 * features, features)
  }

  /// x `[N, T, C]` plus `residual`.
  func callAsFunction(_ x: Tensor, residual: Tensor) throws -> Tensor {
    try output(projection(x, activation: .geglu), residual: residual)
  }

  /// Multiply-accumulates for `tokens` tokens.
  func cost(tokens: Int) -> Double { projection.cost(rows: tokens) + output.cost(rows: tokens) }
}
