import Diffusion
import ImageJobs
import Tensors

/// A loaded checkpoint as the engine drives it.
struct PipelineGenerator: ImageGenerator {
  let pipeline: DiffusionPipeline
  let facts: ModelFacts

  /// Loads the folder and identifies its weights.
  init(folder: String, device: any Device, progress: @escaping (Double) throws -> Void) throws {
    let checkpoint = try CheckpointFolder(path: folder)
    pipeline = try DiffusionPipeline.load(from: folder, device: device, progress: progress)
    facts = ModelFacts(
      weightsHash: PNGMetadata.hexadecimal(SHA256.hash(try checkpoint.fingerprintInput())),
      sampler: checkpoint.index.schedulerClass.contains("Ancestral") ? "Euler a" : "Euler")
  }

  var defaultSize: (width: Int, height: Int) { (pipeline.info.defaultWidth, pipeline.info.defaultHeight) }

  func generate(_ request: GenerationRequest, control: GenerationControl) throws -> GenerationResult {
    try pipeline.generate(request, control: control)
  }
}

/// What computes.
enum ComputeDevice {
  static func make(threads: PositiveInteger?) throws -> any Device { try CPUDevice(threads: threads?.value) }
}
