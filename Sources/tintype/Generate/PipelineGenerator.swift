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

  func memory(for request: GenerationRequest) throws -> MemoryNeed? {
    MemoryNeed(plan: try planner.plan(for: request), held: pipeline.heldMemory)
  }

  /// Refuses a request that does not fit into memory.
  func requireMemory(for request: GenerationRequest, _ limit: MemoryLimit) throws {
    guard let need = try memory(for: request) else { return }
    try limit.require(
      need, width: request.width ?? defaultSize.width, height: request.height ?? defaultSize.height)
  }

  func generate(_ request: GenerationRequest, control: GenerationControl) throws -> GenerationResult {
    try pipeline.generate(request, control: control)
  }
}

/// What computes.
enum ComputeDevice {
  static func make(threads: PositiveInteger?) throws -> CPUDevice { try CPUDevice(threads: threads?.value) }
}
