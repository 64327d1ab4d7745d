import ArgumentParser
import Diffusion
import Tensors

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time a model on this machine, part by part.",
    discussion: """
      Draws a picture of the size and steps given, --repeat times over with the prompt not known from before, and reports the \
      medians: text encoders, UNet (all steps), VAE decoder and, by itself, VAE encoder, with their arithmetic (counted by walking \
      through the networks) and what share of the processor's peak that is. A first picture is drawn and timed from the \
      start of loading. Run it on an idle machine. `make bench` runs it beside other engines.

      Example:
        tintype bench --model sdxl-turbo --size 512x512 --repeat 5 --json
      """)

  @Option(name: Settings.models.name, help: Settings.models.help) var model: ModelList?
  @Option(help: ArgumentHelp("Width and height of the picture. [default: the model's own]", valueName: "WxH"))
  var size: PictureSize?
  @Option(help: ArgumentHelp("Denoising steps.", valueName: "n")) var steps = 1
  @Option(name: .customLong("repeat"), help: ArgumentHelp("Runs to take the medians of.", valueName: "n"))
  var repeats = PositiveInteger(3)
  @OptionGroup var precision: PrecisionOptions
  @Option(name: Settings.threads.name, help: Settings.threads.help) var threads: PositiveInteger?
  @Flag(help: "Print JSON on standard output.") var json = false

  func run() throws {
    let model = try Settings.models.require(model).entries[0]
    let quantization = try precision.quantization()
    let device = try CPUDevice(threads: Settings.threads.resolve(threads)?.value)
    let bar = ProgressBar()
    defer { bar.finish() }
    let work = try DiffusionPipeline.work(ofModelIn: model.folder, width: size?.width, height: size?.height)
    var measurement = BenchMeasurement(
      folder: model.folder, device: device, quantization: quantization,
      request: GenerationRequest(
        prompt: "a cinematic shot of a baby racoon wearing an intricate italian priest robe", width: size?.width,
        height: size?.height, steps: steps, seed: 0), repeats: repeats.value)
    // Before and after: the clock of a processor that others use varies, and the better of the two is what it can do.
    let probe = device.peakRate()
    try measurement.run { bar.update($0, fraction: $1) }
    let peak = max(probe, device.peakRate()) / 1e9
    bar.finish()
    let report = BenchReport(
      measurement, work: work, model: model.name, precision: (measurement.precision ?? .fp32).rawValue,
      threads: device.pool.threads, peakGflops: peak,
      instructionSet: device.choice.instructionSet.rawValue)
    try report.print(json: json)
  }
}
