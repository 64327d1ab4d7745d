import Diffusion
import Testing

@Suite struct SchedulerLimitTests {
  private var turbo: SchedulerConfig {
    var config = SchedulerConfig()
    config.className = "EulerDiscreteScheduler"
    (config.betaStart, config.betaEnd, config.betaSchedule) = (0.00085, 0.012, "scaled_linear")
    config.timestepSpacing = "trailing"
    return config
  }

  /// Literal values of the wrong spacing, which gives a Turbo model pure noise to return: the key must matter.
  @Test func leadingSpacingStartsAtTheCleanEnd() throws {
    var config = turbo
    (config.timestepSpacing, config.stepsOffset) = ("leading", 1)
    let leading = try config.makeScheduler().schedule(steps: 1)
    #expect(leading.timesteps == [1])
    #expect(abs(leading.sigmas[0] - 0.0413145) < 1e-6)
    let trailing = try turbo.makeScheduler().schedule(steps: 1)
    #expect(trailing.timesteps == [999])
    #expect(trailing.sigmas == [14.614646911621094, 0])
    #expect(trailing.initNoiseSigma == 14.614646911621094)
  }

  @Test(arguments: [0, -1, 51, 61, Int.max, Int.min]) func stepsOutsideTheRange(_ steps: Int) throws {
    let scheduler = try turbo.makeScheduler()
    let error = #expect(throws: SchedulerError.self) { try scheduler.schedule(steps: steps) }
    #expect(error?.code == .invalidSteps)
    #expect(error?.message.contains("1 to 50") == true)
  }

  @Test(arguments: [-0.1, 1.0001, Double.nan, .infinity]) func strengthOutsideTheRange(_ strength: Double) throws {
    let schedule = try turbo.makeScheduler().schedule(steps: 4)
    let error = #expect(throws: SchedulerError.self) { try schedule.truncated(strength: strength) }
    #expect(error?.code == .invalidStrength)
  }

  @Test func unsupportedValuesAreNamed() throws {
    try expectRefusal("beta_schedule") { $0.betaSchedule = "squaredcos_cap_v2" }
    try expectRefusal("prediction_type") { $0.predictionType = "sample" }
    try expectRefusal("timestep_spacing") { $0.timestepSpacing = "karras" }
    try expectRefusal("rescale_betas_zero_snr") { $0.rescaleBetasZeroSNR = true }
    try expectRefusal("interpolation_type") { $0.interpolationType = "log_linear" }
    try expectRefusal("final_sigmas_type") { $0.finalSigmasType = "sigma_min" }
    try expectRefusal("timestep_type") { $0.timestepType = "continuous" }
    try expectRefusal("use_karras_sigmas") { $0.useKarrasSigmas = true }
    try expectRefusal("use_exponential_sigmas") { $0.useExponentialSigmas = true }
    try expectRefusal("use_beta_sigmas") { $0.useBetaSigmas = true }
    try expectRefusal("trained_betas") { $0.trainedBetas = [0.1, 0.2] }
    try expectRefusal("beta_end") { $0.betaEnd = 1.5 }
    try expectRefusal("_class_name") { $0.className = "DDIMScheduler" }
    try expectRefusal("_class_name") { $0.className = nil }
  }

  /// SDXL-Turbo's published file has `interpolation_type`, which its class does not know: it must load.
  @Test func theAncestralClassIgnoresKeysOfTheOther() throws {
    var config = turbo
    config.interpolationType = "log_linear"
    let schedule = try config.makeScheduler(className: "EulerAncestralDiscreteScheduler").schedule(steps: 2)
    #expect(schedule.timesteps == [999, 499])
  }

  /// Betas given as a list are used as they are.
  @Test func trainedBetas() throws {
    var config = turbo
    config.trainTimestepCount = 3
    config.trainedBetas = [0.5, 0.5, 0.5]
    let schedule = try config.makeScheduler().schedule(steps: 3)
    #expect(schedule.timesteps == [2, 1, 0])
    // ᾱ = 1/8, 1/4, 1/2.
    #expect(schedule.sigmas == [Float(7).squareRoot(), Float(3).squareRoot(), 1, 0])
  }

  private func expectRefusal(_ field: String, _ change: (inout SchedulerConfig) -> Void) throws {
    var config = turbo
    change(&config)
    let error = #expect(throws: SchedulerError.self, "\(field)") { try config.makeScheduler() }
    #expect(error?.code == .unsupportedConfig)
    #expect(error?.field == field)
  }
}
