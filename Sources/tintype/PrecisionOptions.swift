import ArgumentParser
import Diffusion

/// In what arithmetic models are run, for every command that runs one.
struct PrecisionOptions: ParsableArguments {
  @Option(name: Settings.precision.name, help: Settings.precision.help) var precision: PrecisionName?
  @Option(name: Settings.cacheDirectory.name, help: Settings.cacheDirectory.help) var cacheDir: String?

  /// Nil for fp32.
  func quantization() throws -> Quantization? {
    try Settings.precision.require(precision).precision.quantization(
      cacheFolder: Settings.cacheDirectory.resolve(cacheDir))
  }
}

/// A precision by its name.
struct PrecisionName: ExpressibleByArgument, Sendable, Equatable {
  let precision: Precision

  static let fp32 = PrecisionName(.fp32)

  init(_ precision: Precision) { self.precision = precision }

  init?(argument: String) {
    guard let precision = Precision(rawValue: argument) else { return nil }
    self.precision = precision
  }

  static var allValueStrings: [String] { Precision.allCases.map(\.rawValue) }
  var defaultValueDescription: String { precision.rawValue }
}
