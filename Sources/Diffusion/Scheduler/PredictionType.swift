/// What the network was trained to predict.
enum PredictionType: String, CaseIterable, Sendable {
  /// The noise in the sample.
  case epsilon
  /// The velocity (Salimans and Ho 2022, section 2.4 and appendix D).
  case velocity = "v_prediction"

  /// The direction, per unit of noise level, in which the clean picture lies: (x - x₀) / σ.
  ///
  /// With `epsilon` that is the prediction itself but for rounding; the detour over x₀ is taken because diffusers
  /// takes it.
  @inline(__always)
  func derivative(sample: Float, modelOutput: Float, sigma: Float) -> Float {
    let original: Float
    switch self {
    case .epsilon:
      original = sample - sigma * modelOutput
    case .velocity:
      let variance = sigma * sigma + 1
      original = modelOutput * (-sigma / variance.squareRoot()) + sample / variance
    }
    return (sample - original) / sigma
  }
}

extension SchedulerConfig {
  /// Refuses any value but the legal ones.
  func require<Value: Equatable>(_ key: String, _ value: Value, _ legal: [Value]) throws {
    guard legal.contains(value) else {
      throw SchedulerError(
        .unsupportedConfig, field: key,
        "is \(value); supported: \(legal.map { "\($0)" }.joined(separator: ", "))")
    }
  }

  /// The case of that name.
  func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _ value: String) throws -> Choice
  where Choice.RawValue == String {
    try require(key, value, Choice.allCases.map(\.rawValue))
    guard let choice = Choice(rawValue: value) else { preconditionFailure("\(value) is not among its own cases") }
    return choice
  }
}
