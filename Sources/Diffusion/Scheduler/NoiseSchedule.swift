public import Tensors

/// The noise levels that one run visits, highest first.
public struct NoiseSchedule: Sendable, Equatable {
  /// What the network is told at each step: positions in the training schedule, as fp32 like diffusers.
  public let timesteps: [Float]
  /// Noise level before each step, and a final 0: one more than there are steps.
  public let sigmas: [Float]
  /// What standard normal numbers are multiplied by to start a text-to-image run.
  public let initNoiseSigma: Float
  /// Steps of the full schedule that were cut off the front, as an image-to-image run does.
  public let beginIndex: Int

  /// Number of steps.
  public var stepCount: Int { timesteps.count }

  init(timesteps: [Float], sigmas: [Float], initNoiseSigma: Float, beginIndex: Int = 0) {
    precondition(sigmas.count == timesteps.count + 1)
    self.timesteps = timesteps
    self.sigmas = sigmas
    self.initNoiseSigma = initNoiseSigma
    self.beginIndex = beginIndex
  }

  /// The last `Int(stepCount × strength)` steps, for a run that starts from a picture.
  ///
  /// The product is taken in double precision and cut, as Python does: 50 steps at 0.58 run 28 steps, although the
  /// exact product is 29, and fp32 would give 29.
  ///
  /// - Throws: ``SchedulerError`` when `strength` is not within 0…1, or leaves no step to run.
  public func truncated(strength: Double) throws -> NoiseSchedule {
    guard strength >= 0, strength <= 1 else {
      throw SchedulerError(.invalidStrength, field: "strength", "is \(strength); legal: above 0, up to 1")
    }
    let kept = min(Int(Double(stepCount) * strength), stepCount)
    guard kept >= 1 else {
      throw SchedulerError(
        .invalidStrength, field: "strength",
        "is \(strength), and \(stepCount) steps × \(strength) is less than one step to run; "
          + "use strength ≥ 1/\(stepCount) or more steps")
    }
    let cut = stepCount - kept
    return NoiseSchedule(
      timesteps: Array(timesteps[cut...]), sigmas: Array(sigmas[cut...]), initNoiseSigma: initNoiseSigma,
      beginIndex: beginIndex + cut)
  }

  /// The sample as the network wants it at step `index`: divided by √(σ² + 1), which gives it unit variance.
  public func scaleModelInput(_ sample: Tensor, at index: Int) -> Tensor {
    let divisor = (sigmas[index] * sigmas[index] + 1).squareRoot()
    return Tensor(sample.array.map { $0 / divisor }, shape: sample.shape)
  }

  /// The first sample of a text-to-image run, from standard normal numbers.
  public func initialSample(noise: Tensor) -> Tensor {
    Tensor(noise.array.map { $0 * initNoiseSigma }, shape: noise.shape)
  }

  /// The first sample of an image-to-image run: `original`, noised to the level of the first step.
  public func addNoise(_ noise: Tensor, to original: Tensor) -> Tensor {
    precondition(noise.shape == original.shape, "noise \(noise.shape) does not fit \(original.shape)")
    let sigma = sigmas[0]
    return Tensor(zip(original.array, noise.array).map { $0 + $1 * sigma }, shape: original.shape)
  }
}
