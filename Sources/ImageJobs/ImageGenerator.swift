public import Diffusion

/// A loaded model, as the engine drives it: `DiffusionPipeline`, or a stand-in in tests.
public protocol ImageGenerator: Sendable {
  /// What goes into a picture's metadata.
  var facts: ModelFacts { get }

  /// Size in pixels of a picture whose request leaves it open.
  var defaultSize: (width: Int, height: Int) { get }

  /// The memory that drawing `request` takes; nil where it is not known.
  func memory(for request: GenerationRequest) throws -> MemoryNeed?

  /// Draws; synchronous, on the caller's thread, stopping between blocks when `control` says so.
  func generate(_ request: GenerationRequest, control: GenerationControl) throws -> GenerationResult
}

extension ImageGenerator {
  /// Not known.
  public func memory(for request: GenerationRequest) throws -> MemoryNeed? { nil }
}

/// What a run needs, and how much of that the process has already.
public struct MemoryNeed: Sendable, Equatable {
  /// Before it starts.
  public var plan: MemoryPlan
  /// Bytes of the plan's private part that earlier runs left in place.
  public var held: Int

  /// A plan, and what is there of it.
  public init(plan: MemoryPlan, held: Int) {
    self.plan = plan
    self.held = held
  }
}

/// What a picture's metadata says about the model that drew it.
public struct ModelFacts: Sendable, Equatable {
  /// SHA-256 of the weights, or what identifies them, in hexadecimal digits.
  public var weightsHash: String
  /// The sampler in the words that AUTOMATIC1111 uses: `Euler a`, `Euler`.
  public var sampler: String

  /// In what arithmetic it was run.
  public var precision: Precision

  /// Facts about a model.
  public init(weightsHash: String, sampler: String, precision: Precision = .fp32) {
    self.precision = precision
    self.weightsHash = weightsHash
    self.sampler = sampler
  }
}
