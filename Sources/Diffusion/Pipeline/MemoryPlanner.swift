internal import Tensors

/// Finds out what a run of a model would need, by running it with shapes alone.
///
/// Unchecked: what changes is touched under `mutex` alone.
public final class MemoryPlanner: @unchecked Sendable {
  /// What of some requests decides about memory.
  private struct Shape: Hashable {
    let key: BatchKey
    let members: [Member]
    let picturesAtOnce: Int
  }

  private struct Member: Hashable {
    /// The first member with its prompts, which are there once.
    let sharesTextWith: Int
    let startsFromPicture: Bool
    let imageCount: Int
  }

  private let folder: String
  private let threads: Int
  private let quantization: Quantization?
  private var pipeline: DiffusionPipeline?
  private var device = PlanningDevice()
  private var plans: [Shape: MemoryPlan] = [:]
  private let mutex = PthreadMutex()

  /// A planner for the model in `folder`, which is opened when the first plan is asked for. No weight is read.
  ///
  /// - Parameters:
  ///   - threads: of the device that would compute; each has some working memory.
  ///   - quantization: which layers would be int8.
  public init(folder: String, threads: Int, quantization: Quantization? = nil) {
    self.quantization = quantization
    self.folder = folder
    self.threads = threads
  }

  /// What `request` needs. The first plan takes as long as reading the model's configuration, later ones of other shapes
  /// some milliseconds, those of a known shape nothing.
  ///
  /// - Parameter picturesAtOnce: as in ``DiffusionPipeline/generate(_:picturesAtOnce:control:trace:)``.
  /// - Throws: ``DiffusionError`` for what the model cannot do, and what reading its folder throws.
  public func plan(for request: GenerationRequest, picturesAtOnce: Int? = nil) throws -> MemoryPlan {
    try plan(for: [request], picturesAtOnce: picturesAtOnce)
  }

  /// What requests of one ``BatchKey`` need that are drawn together, one at least.
  ///
  /// - Parameter picturesAtOnce: as in ``DiffusionPipeline/generate(_:picturesAtOnce:finished:)``.
  public func plan(for requests: [GenerationRequest], picturesAtOnce: Int? = nil) throws -> MemoryPlan {
    try mutex.withLock { try makePlan(requests, picturesAtOnce) }
  }

  private func makePlan(_ requests: [GenerationRequest], _ picturesAtOnce: Int?) throws -> MemoryPlan {
    let pipeline = try pipeline ?? DiffusionPipeline.load(from: folder, device: device, quantization: quantization)
    // A run keeps the prompts of all its members, however many its cache keeps when it is over.
    pipeline.limitPrompts(bytes: .max)
    self.pipeline = pipeline
    let runs = try requests.map { try pipeline.plan($0) }
    let texts = zip(requests, runs).map { pipeline.conditioningKey(of: $0, $1) }
    let key = BatchKey(runs[0])
    let atOnce = picturesAtOnce ?? key.picturesAtOnce
    let shape = Shape(
      key: key,
      members: zip(requests, texts).map { request, text in
        Member(
          sharesTextWith: texts.firstIndex(of: text) ?? 0, startsFromPicture: request.initialImage != nil,
          imageCount: request.imageCount)
      }, picturesAtOnce: atOnce)
    if let known = plans[shape] { return known }
    pipeline.forgetPrompts()
    try walk(pipeline, requests, picturesAtOnce: atOnce)
    let usage = pipeline.arena?.usage
    let pixels = runs[0].width * runs[0].height
    let plan = MemoryPlan(
      mappedWeights: pipeline.mapped.byteCount, releasedWeights: pipeline.mapped.textEncoderBytes,
      privateWeights: device.privateWeightBytes,
      activations: usage?.extent ?? 0, liveActivations: usage?.peakLive ?? 0,
      scratch: CPUDevice.scratchBound(threads: threads),
      prompts: pipeline.prompts.byteCount, picturesAtOnce: min(atOnce, requests.reduce(0) { $0 + $1.imageCount }),
      // Three bytes a pixel are kept; on the way there are also its numbers, and its compressed bytes.
      pictures: pixels * (3 * requests.reduce(0) { $0 + $1.imageCount } + 3 * MemoryLayout<Float>.stride + 4))
    plans[shape] = plan
    return plan
  }

  /// Runs requests with shapes alone.
  private func walk(_ pipeline: DiffusionPipeline, _ requests: [GenerationRequest], picturesAtOnce: Int) throws {
    var requests = requests
    if requests.count == 1 {
      // The first batch, a later one, which needs what any later one needs, and the last, which may be smaller.
      let (count, most) = (requests[0].imageCount, 2 * picturesAtOnce)
      if count > most { requests[0].imageCount = most + count % picturesAtOnce }
    }
    var failure: (any Error)?
    pipeline.generate(requests.map { BatchMember($0) }, picturesAtOnce: picturesAtOnce) { _, outcome in
      if case .failure(let error) = outcome { failure = error }
    }
    if let failure { throw failure }
  }
}
