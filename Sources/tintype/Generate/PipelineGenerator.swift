import Diffusion
import ImageJobs
import Jobs
import Tensors

/// A loaded checkpoint as the engine drives it.
struct PipelineGenerator: ImageGenerator {
  let pipeline: DiffusionPipeline
  let facts: ModelFacts
  private let planner: MemoryPlanner

  /// Loads the folder and identifies its weights.
  init(
    folder: String, device: CPUDevice, quantization: Quantization?, progress: @escaping (Double) throws -> Void
  ) throws {
    let checkpoint = try CheckpointFolder(path: folder)
    pipeline = try DiffusionPipeline.load(
      from: folder, device: device, quantization: quantization, progress: progress)
    planner = MemoryPlanner(folder: folder, threads: device.pool.threads, quantization: quantization)
    facts = ModelFacts(
      weightsHash: SHA256.hash(try checkpoint.fingerprintInput()).hexadecimal,
      sampler: checkpoint.index.schedulerClass.contains("Ancestral") ? "Euler a" : "Euler",
      precision: pipeline.precision)
  }

  var defaultSize: (width: Int, height: Int) { (pipeline.info.defaultWidth, pipeline.info.defaultHeight) }

  func picturesAtOnce(for request: GenerationRequest) throws -> Int {
    try pipeline.batchKey(of: request).picturesAtOnce
  }

  func areAlike(_ a: GenerationRequest, _ b: GenerationRequest) -> Bool {
    guard let key = try? pipeline.batchKey(of: a) else { return false }
    return (try? pipeline.batchKey(of: b)) == key
  }

  func memory(for requests: [GenerationRequest], picturesAtOnce: Int) throws -> MemoryNeed? {
    MemoryNeed(plan: try planner.plan(for: requests, picturesAtOnce: picturesAtOnce), held: pipeline.heldMemory)
  }

  /// How many pictures of a request may be drawn at once; refuses it if not even one at a time fits into memory.
  func picturesAtOnce(for request: GenerationRequest, _ limit: MemoryLimit) throws -> Int {
    try limit.picturesAtOnce(
      upTo: picturesAtOnce(for: request), width: request.width ?? defaultSize.width,
      height: request.height ?? defaultSize.height
    ) { try memory(for: [request], picturesAtOnce: $0) }
  }

  func generate(
    _ members: [BatchMember], picturesAtOnce: Int,
    finished: @escaping (Int, Result<GenerationResult, any Error>) -> Void
  ) {
    pipeline.generate(members, picturesAtOnce: picturesAtOnce, finished: finished)
  }
}

/// What computes.
enum ComputeDevice {
  static func make(threads: PositiveInteger?) throws -> CPUDevice { try CPUDevice(threads: threads?.value) }
}
