public import Tensors

/// Euler's method on the probability-flow equation (Karras et al. 2022, algorithm 2 without churn): SD-Turbo's
/// scheduler.
public struct EulerDiscreteScheduler: NoiseScheduler {
  private let training: TrainingSchedule

  /// A scheduler from the published keys.
  ///
  /// - Throws: ``SchedulerError`` naming the key and its legal values.
  public init(config: SchedulerConfig) throws {
    // These keys exist for this class alone; the ancestral scheduler ignores them, as in diffusers.
    try config.require("interpolation_type", config.interpolationType, ["linear"])
    try config.require("final_sigmas_type", config.finalSigmasType, ["zero"])
    try config.require("timestep_type", config.timestepType, ["discrete"])
    try config.require("use_karras_sigmas", config.useKarrasSigmas, [false])
    try config.require("use_exponential_sigmas", config.useExponentialSigmas, [false])
    try config.require("use_beta_sigmas", config.useBetaSigmas, [false])
    training = try TrainingSchedule(config: config)
  }

  /// See ``NoiseScheduler/schedule(steps:)``.
  public func schedule(steps: Int) throws -> NoiseSchedule { try training.schedule(steps: steps) }

  /// False: no noise is added on the way.
  public var needsNoise: Bool { false }

  /// See ``NoiseScheduler/step(_:of:sample:modelOutput:noise:)``.
  public func step(
    _ index: Int, of schedule: NoiseSchedule, sample: Tensor, modelOutput: Tensor, noise: Tensor?
  ) -> Tensor {
    precondition(sample.shape == modelOutput.shape, "prediction \(modelOutput.shape) does not fit \(sample.shape)")
    let sigma = schedule.sigmas[index]
    let change = schedule.sigmas[index + 1] - sigma
    let next = zip(sample.array, modelOutput.array).map { x, output in
      x + training.prediction.derivative(sample: x, modelOutput: output, sigma: sigma) * change
    }
    return Tensor(next, shape: sample.shape)
  }
}
