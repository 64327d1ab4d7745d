public import Diffusion

/// A loaded model, as the engine drives it: `DiffusionPipeline`, or a stand-in in tests.
public protocol ImageGenerator: Sendable {
  /// What goes into a picture's metadata.
  var facts: ModelFacts { get }

  /// Size in pixels of a picture whose request leaves it open.
  var defaultSize: (width: Int, height: Int) { get }

  /// Pictures like that of `request` that are drawn together at most, because it is faster.
  ///
  /// - Throws: `DiffusionError` for what the model cannot draw.
  func picturesAtOnce(for request: GenerationRequest) throws -> Int

  /// Whether both requests may be drawn together.
  func areAlike(_ a: GenerationRequest, _ b: GenerationRequest) -> Bool

  /// The memory that drawing `requests` together takes, so many pictures at once; nil where it is not known.
  func memory(for requests: [GenerationRequest], picturesAtOnce: Int) throws -> MemoryNeed?

  /// Draws requests that are alike; synchronous, on the caller's thread, leaving each between blocks when its control says so.
  ///
  /// - Parameter finished: called on this thread, once for each member by its index, as soon as it has its pictures or has failed.
  func generate(
    _ members: [BatchMember], picturesAtOnce: Int,
    finished: @escaping (Int, Result<GenerationResult, any Error>) -> Void)
}

extension ImageGenerator {
  /// One after another.
  public func picturesAtOnce(for request: GenerationRequest) throws -> Int { 1 }
  /// One by one.
  public func areAlike(_ a: GenerationRequest, _ b: GenerationRequest) -> Bool { false }
  /// Not known.
  public func memory(for requests: [GenerationRequest], picturesAtOnce: Int) throws -> MemoryNeed? { nil }
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
