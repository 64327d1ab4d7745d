import Diffusion
import ImageJobs
import Tensors

/// Whether each model is complete and fits.
struct ModelChecks {
  let models: [ModelList.Entry]
  let threads: PositiveInteger?
  let memoryLimit: ByteCount?
  let quantization: Quantization?

  func findings() -> [DoctorFinding] {
    guard !models.isEmpty else {
      return [.skipped("model", "none given", remedy: "Give --model DIR, or set \(Settings.models.environment).")]
    }
    return models.flatMap { model in DoctorFinding.of("model \(model.name)") { try findings(model) } }
  }

  private func findings(_ model: ModelList.Entry) throws -> [DoctorFinding] {
    let name = "model \(model.name)"
    guard Folder.exists(model.folder) else {
      return [.failure(name, "no such folder: \(model.folder)", remedy: "Correct --model.", .notFound)]
    }
    // Loads the networks with shapes alone: every tensor is there once and has the shape that its layer demands.
    let planner = MemoryPlanner(
      folder: model.folder, threads: threads?.value ?? ProcessorCount.available, quantization: quantization)
    let plan = try planner.plan(for: GenerationRequest(prompt: "", seed: 0))
    let summary = try CheckpointFolder(path: model.folder).summary()
    let types = Set(summary.components.flatMap(\.dtypes)).sorted().joined(separator: ", ")
    let complete = DoctorFinding.ok(
      name,
      "\(summary.family), \(ModelsCommand.Inspect.grouped(summary.parameterCount)) parameters (\(types)); every tensor is "
        + "in its place; `tintype models verify` also reads their values")
    let need =
      "\(MemoryLimit.gigabytes(plan.total)) for a picture of the model's own size in \((quantization == nil ? Precision.fp32 : .int8).rawValue), "
      + "\(MemoryLimit.gigabytes(plan.privateTotal)) of them for each worker"
    guard let limit = MemoryLimit(memoryLimit).bytes, plan.total > limit else {
      return [complete, .ok("\(name): memory", need)]
    }
    return [
      complete,
      .failure(
        "\(name): memory", "\(need); this process may use \(MemoryLimit.gigabytes(limit))",
        remedy: "Give it more memory, or a smaller model.", .configuration),
    ]
  }
}
