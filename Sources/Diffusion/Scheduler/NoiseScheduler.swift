public import Tensors

/// A rule that takes a noisy sample one noise level down, given what the network predicted.
///
/// Each conformance computes what the class of the same name in diffusers computes, in the same order of fp32
/// operations. Functions work elementwise, so a sample may have any layout that its noise and its prediction share.
public protocol NoiseScheduler: Sendable {
  /// The noise levels of a run.
  ///
  /// - Throws: ``SchedulerError`` when `steps` is not in 1…50.
  func schedule(steps: Int) throws -> NoiseSchedule

  /// Whether ``step(_:of:sample:modelOutput:noise:)`` consumes one draw of noise, of the sample's shape. It then does
  /// at every step, the last one too, where the noise is multiplied by zero: skipping that draw would change every
  /// later draw from the same generator.
  var needsNoise: Bool { get }

  /// The sample at the next lower noise level.
  ///
  /// - Parameters:
  ///   - index: Which step of `schedule`, from 0.
  ///   - schedule: From ``schedule(steps:)``, truncated or not.
  ///   - sample: The sample at level `index`, not the scaled model input.
  ///   - modelOutput: The network's prediction, after classifier-free guidance.
  ///   - noise: Standard normal numbers, if ``needsNoise``; ignored otherwise.
  func step(_ index: Int, of schedule: NoiseSchedule, sample: Tensor, modelOutput: Tensor, noise: Tensor?) -> Tensor
}

extension SchedulerConfig {
  /// The scheduler that this configuration describes.
  ///
  /// - Parameter className: The class that `model_index.json` names, which decides; nil: the configuration's own.
  /// - Throws: ``SchedulerError`` naming the key, when the configuration asks for something that is not supported.
  public func makeScheduler(className: String? = nil) throws -> any NoiseScheduler {
    switch className ?? self.className {
    case "EulerAncestralDiscreteScheduler": return try EulerAncestralDiscreteScheduler(config: self)
    case "EulerDiscreteScheduler": return try EulerDiscreteScheduler(config: self)
    case let other:
      throw SchedulerError(
        .unsupportedConfig, field: "_class_name",
        "the scheduler class is \(other.map { "“\($0)”" } ?? "not given"); "
          + "supported: EulerAncestralDiscreteScheduler, EulerDiscreteScheduler")
    }
  }
}

/// Why a noise schedule could not be made.
public struct SchedulerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure it is.
  public enum Code: String, Sendable, CaseIterable {
    /// `scheduler_config.json` asks for something that is not supported.
    case unsupportedConfig = "unsupported_config"
    /// A request asks for an impossible number of steps.
    case invalidSteps = "invalid_steps"
    /// A request asks for an impossible strength.
    case invalidStrength = "invalid_strength"
  }

  /// Kind of failure.
  public let code: Code
  /// The key of the configuration, or the field of the request, that is at fault.
  public let field: String
  /// What is wrong, and the legal values.
  public let message: String

  init(_ code: Code, field: String, _ message: String) {
    self.code = code
    self.field = field
    self.message = message
  }

  /// The message, led by the field.
  public var description: String { "\(field): \(message)" }
}
