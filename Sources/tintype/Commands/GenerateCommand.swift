import ArgumentParser
import Diffusion
import Foundation
import ImageJobs

struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Draw pictures now, with no database.",
    discussion: """
      One picture is written to FILE exactly; with --count above 1 the names are FILE-0.png, FILE-1.png, … (the number goes \
      before the extension). An existing file is replaced, and only by a complete picture. The same model, request and seed \
      give the same bytes. Relative paths start from the current directory.

      Examples:
        tintype generate --model sdxl-turbo --prompt "a red boat at dawn" --seed 7 -o boat.png
        tintype generate --model sdxl-turbo --prompt "the same at night" --init-image boat.png --steps 4 -o night.png
      """)

  @Option(name: Settings.models.name, help: Settings.models.help) var model: ModelList?
  @OptionGroup var request: RequestOptions
  @Option(help: ArgumentHelp("Start from this PNG or JPEG instead of from noise alone.", valueName: "file"))
  var initImage: String?
  @Option(name: .shortAndLong, help: ArgumentHelp("The PNG file to write.", valueName: "file.png"))
  var output: String
  @Option(
    help: ArgumentHelp(
      """
      Also write what passes between the stages, to check it against another implementation: input_ids, prompt_embeds, \
      pooled_prompt_embeds, timesteps, sigmas, initial_latents, noise_pred_i, latents_after_i, latents, decoded.
      """, valueName: "file.safetensors"))
  var saveTensors: String?
  @Option(name: Settings.memoryLimit.name, help: Settings.memoryLimit.help) var memoryLimit: ByteCount?
  @OptionGroup var precision: PrecisionOptions
  @Option(name: Settings.threads.name, help: Settings.threads.help) var threads: PositiveInteger?
  @Flag(help: "Print files, seeds, SHA-256s, sizes, timings and warnings as JSON on standard output.") var json = false

  func run() async throws {
    let model = try Settings.models.require(model).entries[0]
    let request = try CheckedRequest(request, initImage: initImage)
    // Before minutes of work, not after.
    try OutputFile.checkFolder(of: output, option: "output")
    if let saveTensors { try OutputFile.checkFolder(of: saveTensors, option: "save-tensors") }

    let bar = ProgressBar()
    defer { bar.finish() }
    let interrupt = InterruptFlag()
    let clock = ContinuousClock()
    let start = clock.now
    let generator = try PipelineGenerator(
      folder: model.folder, device: ComputeDevice.make(threads: Settings.threads.resolve(threads)),
      quantization: precision.quantization()
    ) { share in
      if interrupt.isRaised { throw CancellationError() }
      bar.update("loading \(model.name)", fraction: share)
    }
    let loaded = clock.now
    let picturesAtOnce = try generator.picturesAtOnce(
      for: request.generation, MemoryLimit(Settings.memoryLimit.resolve(memoryLimit)))
    let trace = saveTensors == nil ? nil : TraceRecorder()
    let result = try generator.pipeline.generate(
      request.generation, picturesAtOnce: picturesAtOnce,
      control: GenerationControl(
        progress: { bar.update($0.label, fraction: $0.fraction) }, isCancelled: { interrupt.isRaised }),
      trace: trace)
    bar.finish()

    let written = clock.now
    let images = try result.images.enumerated().map { index, image in
      let metadata = PNGMetadata(
        request: request.generation, image: image, initialImageSHA256: request.initImageSHA256, model: model.name,
        facts: generator.facts, softwareVersion: Version.text)
      let path = result.images.count == 1 ? output : Self.numbered(output, index)
      return try GenerateReport.Image(writing: image, metadata, to: path)
    }
    if let trace, let saveTensors { try trace.write(to: saveTensors) }
    var timings = result.timings
    timings["load_model"] = (loaded - start) / .seconds(1)
    timings["write"] = (clock.now - written) / .seconds(1)
    timings["total"] = (clock.now - start) / .seconds(1)
    try GenerateReport(model: model.name, images: images, warnings: result.warnings, timings: timings).print(json: json)
  }

  /// `boat.png`, 2 → `boat-2.png`; without an extension the number comes last.
  static func numbered(_ path: String, _ index: Int) -> String {
    let suffix = URL(filePath: path).pathExtension
    guard !suffix.isEmpty else { return "\(path)-\(index)" }
    return "\(path.dropLast(suffix.count + 1))-\(index).\(suffix)"
  }
}

extension GenerationProgress {
  /// For the progress bar.
  fileprivate var label: String {
    switch phase {
    case .encodeText: "reading the prompt"
    case .encodeImage: "reading the picture"
    case .denoise: "step \(step) of \(stepCount)"
    case .decode: "decoding"
    }
  }
}
