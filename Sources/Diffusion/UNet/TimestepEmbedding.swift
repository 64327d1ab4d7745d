internal import Foundation
internal import Tensors

/// Sinusoids of a number (Ho et al. 2020, after Vaswani et al. 2017): how the UNet is told the timestep, and SDXL the
/// size of the picture.
struct Timesteps: Sendable {
  /// Width of the embedding; even.
  let channels: Int
  /// Cosines before sines, as all published models have it.
  let flipSinToCos: Bool
  /// Subtracted from half the width in the frequencies' exponent.
  let frequencyShift: Double

  /// Each value's embedding, one after the other: `cos(v·f₀), …, sin(v·f₀), …` with `fᵢ = 10000^(−i/(channels/2))`.
  /// In fp32 throughout: the reference rounds the products to fp32 as well, and at v = 999 that shows.
  func callAsFunction(_ values: [Float]) -> [Float] {
    let half = channels / 2
    let frequencies = (0..<half).map { index in
      expf(-Float(log(10000.0)) * Float(index) / Float(Double(half) - frequencyShift))
    }
    return values.flatMap { value in
      let cosines = frequencies.map { cosf(value * $0) }
      let sines = frequencies.map { sinf(value * $0) }
      return flipSinToCos ? cosines + sines : sines + cosines
    }
  }
}

/// The two-layer perceptron after the sinusoids: `linear_2(silu(linear_1(x)))`.
struct TimestepEmbedding: Sendable {
  private let linear1: Linear, linear2: Linear

  init(_ weights: ModuleWeights, _ inFeatures: Int, _ outFeatures: Int) throws {
    linear1 = try Linear(weights["linear_1"], inFeatures, outFeatures)
    linear2 = try Linear(weights["linear_2"], outFeatures, outFeatures)
  }

  /// `[N, in]` → `[N, out]`, plus `residual`.
  func callAsFunction(_ x: Tensor, residual: Tensor? = nil) throws -> Tensor {
    try linear2(linear1(x, activation: .silu), residual: residual)
  }
}
