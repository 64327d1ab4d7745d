public import Diffusion

/// A loaded model, as the engine drives it: `DiffusionPipeline`, or a stand-in in tests.
public protocol ImageGenerator: Sendable {
  /// What goes into a picture's metadata.
  var facts: ModelFacts { get }

  /// Size in pixels of a picture whose request leaves it open.
  var defaultSize: (width: Int, height: Int) { get }

  /// Draws; synchronous, on the caller's thread, stopping between blocks when `control` says so.
  func generate(_ request: GenerationRequest, control: GenerationControl) throws -> GenerationResult
}

/// What a picture's metadata says about the model that drew it.
public struct ModelFacts: Sendable, Equatable {
  /// SHA-256 of the weights, or what identifies them, in hexadecimal digits.
  public var weightsHash: String
  /// The sampler in the words that AUTOMATIC1111 uses: `Euler a`, `Euler`.
  public var sampler: String

  /// Facts about a model.
  public init(weightsHash: String, sampler: String) {
    self.weightsHash = weightsHash
    self.sampler = sampler
  }
}
