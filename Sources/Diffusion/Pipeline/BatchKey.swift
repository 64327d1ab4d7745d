/// What requests must have in common to be drawn together: the size, the noise levels, and whether there is guidance. Prompts,
/// seeds, initial pictures and guidance scales may differ.
public struct BatchKey: Sendable, Hashable {
  private let latentShape: [Int]
  private let timesteps: [Float], sigmas: [Float]
  private let isGuided: Bool

  init(_ plan: GenerationPlan) {
    latentShape = plan.latentShape
    (timesteps, sigmas) = (plan.schedule.timesteps, plan.schedule.sigmas)
    isGuided = plan.guidanceScale != nil
  }

  /// Latents of a batch, in pixels of all its members: those of two pictures of 384 × 384. Larger ones leave the kernels little to gain;
  /// of smaller ones a batch reads and expands each weight once, for matrices of a height that suits the tiles.
  private static let batchPixels = 2 * 48 * 48
  /// Whatever the size: with more, each picture waits longer for the others than it gains.
  private static let mostPictures = 8

  /// Pictures that are drawn together, at most. With guidance each is in the batch twice.
  public var picturesAtOnce: Int {
    let pixels = latentShape[1] * latentShape[2] * (isGuided ? 2 : 1)
    return min(max(Self.batchPixels / pixels, 1), Self.mostPictures)
  }
}

extension DiffusionPipeline {
  /// What `request` has in common with those that it can be drawn with.
  /// - Throws: ``DiffusionError`` (`invalidRequest`) for what this model cannot draw.
  public func batchKey(of request: GenerationRequest) throws -> BatchKey { BatchKey(try plan(request)) }
}

/// A request among several that are drawn together.
public struct BatchMember: Sendable {
  /// What to draw.
  public var request: GenerationRequest
  /// Who follows it, and may stop it.
  public var control: GenerationControl

  /// A request and who follows it.
  public init(_ request: GenerationRequest, control: GenerationControl = GenerationControl()) {
    self.request = request
    self.control = control
  }
}
