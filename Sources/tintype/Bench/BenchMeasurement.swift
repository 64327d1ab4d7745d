import Diffusion
import Tensors

/// The runs of `tintype bench`, and what they took.
struct BenchMeasurement {
  private(set) var load = Samples()
  /// From the first byte of the folder to the first picture in memory.
  private(set) var firstPicture = Samples()
  /// By component, for one picture: the UNet's is all of its steps.
  private(set) var components: [PipelineComponent: Samples] = [:]
  /// Text encoders, UNet and decoder together.
  private(set) var total = Samples()
  /// The same picture when the prompt is known already.
  private(set) var cachedTotal = Samples()
  /// After the pictures and before the encoder, which a text-to-image worker never runs.
  private(set) var peakResident: Int?
  private(set) var info: ModelInfo?
  private(set) var precision: Precision?

  let folder: String
  let device: any Device
  /// Nil for fp32.
  let quantization: Quantization?
  let request: GenerationRequest
  let repeats: Int

  init(folder: String, device: any Device, quantization: Quantization?, request: GenerationRequest, repeats: Int) {
    self.quantization = quantization
    self.folder = folder
    self.device = device
    self.request = request
    self.repeats = repeats
  }

  /// Runs everything. `progress` is told what comes next.
  mutating func run(progress: (_ label: String, _ fraction: Double) -> Void) throws {
    let passes = Double(2 * repeats + 2)
    progress("loading", 0)
    let start = ContinuousClock.now
    let pipeline = try DiffusionPipeline.load(from: folder, device: device, quantization: quantization)
    load.append((ContinuousClock.now - start) / .seconds(1))
    info = pipeline.info
    precision = pipeline.precision
    progress("first picture", 0)
    _ = try pipeline.generate(request)
    firstPicture.append((ContinuousClock.now - start) / .seconds(1))

    for pass in 0..<repeats {
      progress("picture \(pass + 1) of \(repeats)", Double(1 + pass) / passes)
      pipeline.forgetPrompts()
      let seconds = try pipeline.generate(request).timings
      for (component, phase) in Self.phases { components[component, default: Samples()].append(seconds[phase] ?? 0) }
      total.append(Self.phases.reduce(0) { $0 + (seconds[$1.value] ?? 0) })
    }
    progress("picture of a known prompt", Double(1 + repeats) / passes)
    let seconds = try pipeline.generate(request).timings
    cachedTotal.append(Self.phases.reduce(0) { $0 + (seconds[$1.value] ?? 0) })
    peakResident = ProcessMemory.peakResident

    let encode = try pipeline.evaluation(
      of: .vaeEncode, width: request.width ?? pipeline.info.defaultWidth,
      height: request.height ?? pipeline.info.defaultHeight)
    try encode()
    for pass in 0..<repeats {
      progress("encoding a picture", Double(2 + repeats + pass) / passes)
      try components[.vaeEncode, default: Samples()].measure(encode)
    }
  }

  /// The pipeline's names for the components of a text-to-image run.
  private static let phases: [PipelineComponent: String] = [
    .textEncoders: "text", .unet: "unet", .vaeDecode: "vae_decode",
  ]
}
