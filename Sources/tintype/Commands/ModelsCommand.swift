import ArgumentParser
import Diffusion
import Tensors

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "Look at a model folder, or check it.", subcommands: [Inspect.self, Verify.self])

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say what a model folder holds: family, components, files, types and sizes.",
      discussion: """
        Reads configurations and the heads of the weight files, no weights, so it is quick for any size. With --plan it also \
        says how much memory a picture of that size takes, by walking through the networks with shapes alone.

        Examples:
          tintype models inspect sdxl-turbo
          tintype models inspect sdxl-turbo --plan 1024x1024 --count 4
        """)

    @Argument(help: "A folder in the diffusers layout, with model_index.json.") var directory: String
    @Option(help: ArgumentHelp("Also say what a picture of this size needs.", valueName: "WxH")) var plan: PictureSize?
    @Option(help: ArgumentHelp("With --plan: denoising steps.", valueName: "n")) var steps = 1
    @Option(help: ArgumentHelp("With --plan: pictures of one request.", valueName: "n")) var count = 1
    @Option(help: ArgumentHelp("With --plan: guidance scale; above 1 the UNet sees two prompts.", valueName: "x"))
    var guidanceScale = 0.0
    @OptionGroup var precision: PrecisionOptions
    @Option(name: Settings.threads.name, help: Settings.threads.help) var threads: PositiveInteger?
    @Flag(help: "Print JSON.") var json = false

    /// The summary's keys, and the plan beside them.
    struct Report: Encodable {
      let summary: CheckpointSummary
      let memoryPlan: MemoryPlan?

      private enum CodingKeys: String, CodingKey { case memoryPlan }

      func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(memoryPlan, forKey: .memoryPlan)
      }
    }

    private func memoryPlan() throws -> MemoryPlan? {
      guard let plan else { return nil }
      let threads = try Settings.threads.resolve(threads)?.value ?? ProcessorCount.available
      return try MemoryPlanner(folder: directory, threads: threads, quantization: precision.quantization()).plan(
        for: GenerationRequest(
          prompt: "", width: plan.width, height: plan.height, steps: steps, guidanceScale: guidanceScale, seed: 0,
          imageCount: count))
    }

    func run() throws {
      let summary = try CheckpointFolder(path: directory).summary()
      let memory = try memoryPlan()
      if json { return try JSONOutput.print(Report(summary: summary, memoryPlan: memory)) }
      print("\(summary.pipelineClass) (\(summary.family)), \(summary.schedulerClass)")
      print("\(Self.grouped(summary.parameterCount)) parameters in \(Self.grouped(summary.byteCount)) bytes\n")
      var table = TextTable([
        .init(heading: "COMPONENT"), .init(heading: "CLASS"), .init(heading: "PARAMETERS", alignsRight: true),
        .init(heading: "TYPES"), .init(heading: "FILES"),
      ])
      for part in summary.components {
        table.append([
          part.name, part.className, Self.grouped(part.parameterCount), part.dtypes.joined(separator: ","),
          part.files.joined(separator: " "),
        ])
      }
      print(table.rendered(), terminator: "")
      if let memory { Self.printPlan(memory) }
    }

    private static func printPlan(_ plan: MemoryPlan) {
      var table = TextTable([.init(heading: "MEMORY"), .init(heading: "BYTES", alignsRight: true), .init(heading: "")])
      for (name, bytes, note) in [
        ("weights, mapped", plan.mappedWeights, "one copy for all workers of a machine"),
        ("of them text encoders", plan.releasedWeights, "gone before the picture is drawn"),
        ("weights, private", plan.privateWeights, "biases and norms in fp32"),
        (
          "activations", plan.activations,
          (plan.picturesAtOnce > 1 ? "of \(plan.picturesAtOnce) pictures at a time; " : "")
            + "at most \(grouped(plan.liveActivations)) alive at a time"
        ),
        ("scratch", plan.scratch, "working memory of the kernels, at most"),
        ("prompt", plan.prompts, "its encoding, keys and values"),
        ("pictures", plan.pictures, ""), ("total", plan.total, "of which private: \(grouped(plan.privateTotal))"),
      ] { table.append([name, grouped(bytes), note]) }
      print("\n" + table.rendered(), terminator: "")
    }

    /// Thousands apart: 2 567 463 684.
    static func grouped(_ number: Int) -> String {
      let digits = String(number)
      var groups = ""
      for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index).isMultiple(of: 3) { groups += " " }
        groups.append(digit)
      }
      return groups
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Load a model folder completely and check every tensor.",
      discussion: """
        Checks that every tensor is used exactly once with the expected shape, and that no weight is NaN or infinite. Exits with \
        0 if a worker could run it, with 65 and the name of what is wrong if not.

        Example:
          tintype models verify sdxl-turbo
        """)

    @Argument(help: "A folder in the diffusers layout, with model_index.json.") var directory: String
    @Option(name: Settings.threads.name, help: Settings.threads.help) var threads: PositiveInteger?
    @Flag(help: "Print JSON.") var json = false

    struct Report: Encodable {
      let model: String
      let ok: Bool
      let parameterCount: Int
    }

    func run() async throws {
      let bar = ProgressBar()
      defer { bar.finish() }
      let checkpoint = try CheckpointFolder(path: directory)
      for component in checkpoint.index.weightComponents {
        let broken = try checkpoint.nonFiniteWeights(component: component) {
          bar.update("reading \(component)", fraction: $0)
        }
        guard broken.isEmpty else {
          throw CommandError(
            .invalidData, "\(directory)/\(component): NaN or infinity in \(broken.joined(separator: ", ")).",
            remedy: "Download the file again and compare its SHA-256 with the publisher's.")
        }
      }
      let device = try ComputeDevice.make(threads: Settings.threads.resolve(threads))
      let pipeline = try DiffusionPipeline.load(from: directory, device: device) { bar.update("loading", fraction: $0) }
      bar.finish()
      let count = pipeline.info.checkpoint.parameterCount
      if json { return try JSONOutput.print(Report(model: directory, ok: true, parameterCount: count)) }
      print("\(directory): complete, \(Inspect.grouped(count)) parameters, none NaN or infinite")
    }
  }
}
