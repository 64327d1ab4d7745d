internal import Foundation

/// The noise levels that a network was trained on, and how a run picks some of them: what both Euler schedulers share.
///
/// fp32 and double precision alternate below exactly where torch and numpy alternate, so that timesteps and noise
/// levels equal diffusers' to the bit.
struct TrainingSchedule: Sendable {
  /// How the steps of a run spread over the training schedule (Lin et al. 2023, table 2).
  enum Spacing: String, CaseIterable, Sendable {
    /// Ends included; timesteps need not be whole.
    case linspace
    /// Counted from the clean end, so a run of few steps never sees the highest noise.
    case leading
    /// Counted from the noisy end: one step starts at pure noise, which the Turbo models are trained for.
    case trailing
  }

  /// Noise level of each training timestep.
  let sigmas: [Float]
  let spacing: Spacing
  /// Added to `leading` timesteps.
  let stepsOffset: Int
  let prediction: PredictionType

  /// The most steps a run may have. numpy's `arange`, which the `trailing` rule uses, returns one entry too many for
  /// some larger counts (61 is the first), so they have no meaning to reproduce.
  static let maximumSteps = 50

  init(config: SchedulerConfig) throws {
    try config.require("rescale_betas_zero_snr", config.rescaleBetasZeroSNR, [false])
    prediction = try config.choice("prediction_type", config.predictionType)
    spacing = try config.choice("timestep_spacing", config.timestepSpacing)
    stepsOffset = config.stepsOffset
    sigmas = Self.sigmas(betas: try Self.betas(config))
    guard sigmas.allSatisfy(\.isFinite) else {
      throw SchedulerError(
        .unsupportedConfig, field: "beta_end", "the betas leave no signal at the noisy end; legal: betas in 0…1")
    }
  }

  private static func betas(_ config: SchedulerConfig) throws -> [Float] {
    if let trained = config.trainedBetas {
      guard trained.count == config.trainTimestepCount else {
        throw SchedulerError(
          .unsupportedConfig, field: "trained_betas",
          "has \(trained.count) values; num_train_timesteps is \(config.trainTimestepCount)")
      }
      return trained.map { Float($0) }
    }
    try config.require("beta_schedule", config.betaSchedule, ["linear", "scaled_linear"])
    if config.betaSchedule == "linear" {
      return linspace(config.betaStart, config.betaEnd, count: config.trainTimestepCount)
    }
    let roots = linspace(config.betaStart.squareRoot(), config.betaEnd.squareRoot(), count: config.trainTimestepCount)
    return roots.map { $0 * $0 }
  }

  /// torch's fp32 `linspace`: both halves are counted from their own end, each term with one rounding.
  private static func linspace(_ first: Double, _ last: Double, count: Int) -> [Float] {
    let (first, last) = (Float(first), Float(last))
    guard count > 1 else { return [first] }
    let step = (last - first) / Float(count - 1)
    return (0..<count).map { i in
      i < count / 2 ? first.addingProduct(step, Float(i)) : last.addingProduct(-step, Float(count - 1 - i))
    }
  }

  /// √((1 - ᾱ) / ᾱ) where ᾱ is the running product of 1 - β, accumulated in double precision as torch does.
  private static func sigmas(betas: [Float]) -> [Float] {
    var product = 1.0
    return betas.map { beta in
      product *= Double(1 - beta)
      let cumulative = Float(product)
      return ((1 - cumulative) / cumulative).squareRoot()
    }
  }

  func schedule(steps: Int) throws -> NoiseSchedule {
    let most = min(Self.maximumSteps, sigmas.count)
    guard (1...most).contains(steps) else {
      throw SchedulerError(.invalidSteps, field: "steps", "is \(steps); legal: 1 to \(most)")
    }
    let timesteps = timesteps(steps)
    guard timesteps.count == steps else {
      throw SchedulerError(
        .invalidSteps, field: "steps",
        "is \(steps), which does not divide this model's \(sigmas.count) timesteps; use one step more or less")
    }
    let levels = timesteps.map { Float(interpolated(at: Double($0))) } + [0]
    var initial = levels.reduce(0, max)
    if spacing == .leading { initial = (initial * initial + 1).squareRoot() }
    return NoiseSchedule(timesteps: timesteps, sigmas: levels, initNoiseSigma: initial)
  }

  /// The timesteps that numpy's `linspace` and `arange` give, highest first.
  private func timesteps(_ steps: Int) -> [Float] {
    let total = sigmas.count
    switch spacing {
    case .linspace:
      let step = Double(total - 1) / Double(max(steps - 1, 1))
      let rising = (0..<steps).map { i in
        i > 0 && i == steps - 1 ? Float(total - 1) : Float(Double(i) * step)
      }
      return rising.reversed()
    case .leading:
      return (0..<steps).reversed().map { Float($0 * (total / steps)) + Float(stepsOffset) }
    case .trailing:
      let ratio = Double(total) / Double(steps)
      let count = Int((Double(-total) / -ratio).rounded(.up))
      // arange adds the difference of its first two entries, which need not be the ratio to the last bit.
      let difference = (Double(total) - ratio) - Double(total)
      return (0..<count).map { i in
        Float((Double(total) + Double(i) * difference).rounded(.toNearestOrEven)) - 1
      }
    }
  }

  /// The noise level at a timestep that need not be whole, clamped at the ends (numpy's `interp`).
  private func interpolated(at timestep: Double) -> Double {
    guard timestep > 0 else { return Double(sigmas[0]) }
    let below = Int(timestep)
    guard below < sigmas.count - 1 else { return Double(sigmas[sigmas.count - 1]) }
    let (low, high) = (Double(sigmas[below]), Double(sigmas[below + 1]))
    return (high - low) * (timestep - Double(below)) + low
  }
}
