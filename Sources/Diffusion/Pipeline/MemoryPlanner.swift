internal import Tensors

/// Finds out what a run of a model would need, by running it with shapes alone.
///
/// Unchecked: what changes is touched under `mutex` alone.
public final class MemoryPlanner: @unchecked Sendable {
  /// What of a request decides about memory.
  private struct Shape: Hashable {
    let width: Int, height: Int
    let isGuided: Bool, startsFromPicture: Bool
    let stepCount: Int, imageCount: Int
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
  /// - Throws: ``DiffusionError`` for what the model cannot do, and what reading its folder throws.
  public func plan(for request: GenerationRequest) throws -> MemoryPlan {
    try mutex.withLock { try makePlan(request) }
  }

  private func makePlan(_ request: GenerationRequest) throws -> MemoryPlan {
    let pipeline = try pipeline ?? DiffusionPipeline.load(from: folder, device: device, quantization: quantization)
    self.pipeline = pipeline
    let run = try pipeline.plan(request)
    let shape = Shape(
      width: run.width, height: run.height, isGuided: run.guidanceScale != nil,
      startsFromPicture: request.initialImage != nil, stepCount: run.schedule.stepCount,
      imageCount: request.imageCount)
    if let known = plans[shape] { return known }
    // Every later picture needs what the second one needs.
    var sample = request
    sample.imageCount = min(request.imageCount, 2)
    pipeline.forgetPrompts()
    _ = try pipeline.generate(sample)
    let usage = pipeline.arena?.usage
    let pixels = run.width * run.height
    let plan = MemoryPlan(
      mappedWeights: pipeline.mapped.byteCount, releasedWeights: pipeline.mapped.textEncoderBytes,
      privateWeights: device.privateWeightBytes,
      activations: usage?.extent ?? 0, liveActivations: usage?.peakLive ?? 0,
      scratch: CPUDevice.scratchBound(threads: threads),
      prompts: pipeline.prompts.byteCount,
      // Three bytes a pixel are kept; on the way there are also its numbers, and its compressed bytes.
      pictures: pixels * (3 * request.imageCount + 3 * MemoryLayout<Float>.stride + 4))
    plans[shape] = plan
    return plan
  }
}
