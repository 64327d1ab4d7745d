import ArgumentParser
import Diffusion
import Foundation
import ImageJobs
import Jobs

struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Draw pictures now, with no database.",
    discussion: """
      One picture is written to FILE exactly; with --count above 1 the names are FILE-0.png, FILE-1.png, … (the number goes \
      before the extension). An existing file is replaced, and only by a complete picture. The same model, request and seed \
      give the same bytes.

      Examples:
        tintype generate --model sdxl-turbo --prompt "a red boat at dawn" --seed 7 --output boat.png
        tintype generate --model sdxl-turbo --prompt "the same at night" --init-image boat.png --strength 0.5 --steps 4 \
      --output night.png
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
  @Option(name: Settings.threads.name, help: Settings.threads.help) var threads: PositiveInteger?
  @Flag(help: "Print files, seeds, SHA-256s, sizes, timings and warnings as JSON on standard output.") var json = false

  func run() async throws {
    let folder = try Settings.models.require(model).entries[0]
    let request = try ImageRequest.validated(
      self.request.job(initImage: initImage.map(InputFile.read)), limits: .commandLine)
    // Before minutes of work, not after.
    for path in [output, saveTensors].compactMap(\.self) { try OutputFile.checkFolder(of: path) }

    let bar = ProgressBar()
    let interrupt = InterruptFlag()
    let clock = Stopwatch()
    let device = try Settings.threads.resolve(threads).makeDevice()
    let pipeline = try DiffusionPipeline.load(from: folder.folder, device: device) {
      bar.update("loading \(folder.name)", fraction: $0)
    }
    let loadSeconds = clock.lap()
    let trace = saveTensors == nil ? nil : TraceRecorder()
    let control = GenerationControl(
      progress: { bar.update($0.label, fraction: $0.fraction) }, isCancelled: { interrupt.isRaised })
    defer { bar.finish() }
    let result = try pipeline.generate(request.request, control: control, trace: trace)
    bar.finish()

    var files: [GenerateReport.File] = []
    for (index, image) in result.images.enumerated() {
      let metadata = PNGMetadata(
        request: request.request, image: image, initialImageSHA256: request.initialImageSHA256, model: folder.name,
        facts: pipeline.facts, softwareVersion: Version.text)
      let bytes = try encodePNG(image.pixels, metadata: metadata)
      let path = result.images.count == 1 ? output : Self.numbered(output, index)
      try OutputFile.write(bytes, to: path)
      files.append(GenerateReport.File(path, image, bytes))
    }
    if let trace, let saveTensors { try trace.save(to: saveTensors) }
    var timings = result.timings
    timings["load_model"] = loadSeconds
    timings["total"] = clock.total()
    try GenerateReport(model: folder.name, images: files, warnings: result.warnings, timings: timings).print(json: json)
  }

  /// `boat.png`, 2 → `boat-2.png`; without an extension the number comes last.
  static func numbered(_ path: String, _ index: Int) -> String {
    let url = URL(filePath: path)
    guard !url.pathExtension.isEmpty else { return "\(path)-\(index)" }
    return "\(path.dropLast(url.pathExtension.count + 1))-\(index).\(url.pathExtension)"
  }
}
