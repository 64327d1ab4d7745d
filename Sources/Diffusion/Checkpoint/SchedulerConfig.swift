/// `scheduler/scheduler_config.json`: every published key of the Euler schedulers, with diffusers' defaults. Values
/// are carried as the file has them; the scheduler that is built from them says which it supports.
public struct SchedulerConfig: Decodable, Sendable, Equatable {
  /// The class that wrote the file, as `EulerAncestralDiscreteScheduler`; nil when it does not say.
  public var className: String?
  /// Length of the training schedule.
  public var trainTimestepCount: Int = 1000
  /// Ends of the noise schedule.
  public var betaStart: Double = 0.0001, betaEnd: Double = 0.02
  /// `linear`, `scaled_linear`, …
  public var betaSchedule: String = "linear"
  /// Given instead of a schedule.
  public var trainedBetas: [Double]?
  /// What the network predicts: `epsilon`, `v_prediction`, `sample`.
  public var predictionType: String = "epsilon"
  /// How timesteps are chosen: `linspace`, `leading`, `trailing`. The Turbo models need `trailing`.
  public var timestepSpacing: String = "linspace"
  /// Added to the timesteps of `leading` spacing.
  public var stepsOffset: Int = 0
  /// Whether betas are rescaled to zero terminal signal.
  public var rescaleBetasZeroSNR: Bool = false
  /// `linear` or `log_linear`.
  public var interpolationType: String = "linear"
  /// `zero` or `sigma_min`.
  public var finalSigmasType: String = "zero"
  /// `discrete` or `continuous`.
  public var timestepType: String = "discrete"
  /// Other spacings of the noise levels.
  public var useKarrasSigmas: Bool = false, useExponentialSigmas: Bool = false, useBetaSigmas: Bool = false
  /// Bounds of the noise levels.
  public var sigmaMin: Double?, sigmaMax: Double?

  /// Diffusers' defaults; not what any Turbo model wants.
  public init() {}

  /// Reads the published keys.
  public init(from decoder: any Decoder) throws {
    let config = try ConfigReader(decoder)
    className = try config.optional("_class_name")
    trainTimestepCount = try config.count("num_train_timesteps", default: trainTimestepCount)
    betaStart = try config.number("beta_start", default: betaStart)
    betaEnd = try config.number("beta_end", default: betaEnd)
    betaSchedule = try config.value("beta_schedule", default: betaSchedule)
    trainedBetas = try config.optional("trained_betas")
    predictionType = try config.value("prediction_type", default: predictionType)
    timestepSpacing = try config.value("timestep_spacing", default: timestepSpacing)
    stepsOffset = try config.value("steps_offset", default: stepsOffset)
    rescaleBetasZeroSNR = try config.value("rescale_betas_zero_snr", default: rescaleBetasZeroSNR)
    interpolationType = try config.value("interpolation_type", default: interpolationType)
    finalSigmasType = try config.value("final_sigmas_type", default: finalSigmasType)
    timestepType = try config.value("timestep_type", default: timestepType)
    useKarrasSigmas = try config.value("use_karras_sigmas", default: useKarrasSigmas)
    useExponentialSigmas = try config.value("use_exponential_sigmas", default: useExponentialSigmas)
    useBetaSigmas = try config.value("use_beta_sigmas", default: useBetaSigmas)
    sigmaMin = try config.optional("sigma_min")
    sigmaMax = try config.optional("sigma_max")
  }
}
