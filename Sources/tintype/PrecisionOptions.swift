import ArgumentParser
import Diffusion

/// In what arithmetic models are run, for every command that runs one.
struct PrecisionOptions: ParsableArguments {
  @Option(name: Settings.precision.name, help: Settings.precision.help) var precision: Precision?
  @Option(name: Settings.cacheDirectory.name, help: Settings.cacheDirectory.help) var cacheDir: String?

  /// Nil for fp32.
  func quantization() throws -> Quantization? {
    try Settings.precision.require(precision).quantization(cacheFolder: Settings.cacheDirectory.resolve(cacheDir))
  }
}

extension Precision: ExpressibleByArgument {}
