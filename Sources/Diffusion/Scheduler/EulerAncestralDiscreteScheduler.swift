public import Tensors

/// Euler's method to a level below the next one, then fresh noise up to it (ancestral sampling, as k-diffusion
/// defines it): SDXL-Turbo's scheduler.
public struct EulerAncestralDiscreteScheduler: NoiseScheduler {
  private let training: TrainingSchedule

  /// A scheduler from the published keys. Keys that diffusers' class of this name ignores are ignored.
  ///
  /// - Throws: ``SchedulerError`` naming the key and its legal values.
  public init(config: SchedulerConfig) throws {
    training = try TrainingSchedule(config: config)
  }

  /// See ``NoiseScheduler/schedule(steps:)``.
  public func schedule(steps: Int) throws -> NoiseSchedule { try training.schedule(steps: steps) }

  /// True: every step adds noise.
  public var needsNoise: Bool { true }

  /// See ``NoiseScheduler/step(_:of:sample:modelOutput:noise:)``. `noise` is required.
  public func step(
    _ index: Int, of schedule: NoiseSchedule, sample: Tensor, modelOutput: Tensor, noise: Tensor?
  ) -> Tensor {
    guard let noise else { preconditionFailure("an ancestral step needs noise") }
    precondition(
      sample.shape == modelOutput.shape && sample.shape == noise.shape,
      "prediction \(modelOutput.shape) or noise \(noise.shape) does not fit \(sample.shape)")
    let sigma = schedule.sigmas[index]
    let (down, up) = Self.split(from: sigma, to: schedule.sigmas[index + 1])
    let change = down - sigma
    let drifted = zip(sample.array, modelOutput.array).map { x, output in
      x + training.prediction.derivative(sample: x, modelOutput: output, sigma: sigma) * change
    }
    return Tensor(zip(drifted, noise.array).map { $0 + $1 * up }, shape: sample.shape)
  }

  /// The level to step down to, and the noise to add there, so that the variances add up to `to`².
  static func split(from: Float, to: Float) -> (down: Float, up: Float) {
    let up = (to * to * (from * from - to * to) / (from * from)).squareRoot()
    return ((to * to - up * up).squareRoot(), up)
  }
}
