package import Tensors

/// A loaded model: text (and a picture) in, pictures out.
///
/// Between runs it holds nothing that a picture depends on, so one value serves any number of requests; a run uses the
/// device's threads, so runs one after another are no slower than runs side by side.
public final class DiffusionPipeline: Sendable {
  /// What the model is.
  public let info: ModelInfo
  let device: any Device
  let promptEncoder: PromptEncoder
  let unet: UNet2DConditionModel
  let vae: AutoencoderKL
  let scheduler: any NoiseScheduler
  let latentChannels: Int
  let scalingFactor: Float
  /// In what arithmetic it runs.
  public let precision: Precision
  /// Where the weights are.
  let mapped: MappedWeights
  /// Where a run's tensors live; kept, so that the next run finds its memory in place.
  let arena: TensorArena?
  /// Prompts of earlier runs.
  let prompts = PromptCache()

  init(
    info: ModelInfo, device: any Device, promptEncoder: PromptEncoder, unet: UNet2DConditionModel,
    vae: AutoencoderKL, scheduler: any NoiseScheduler, latentChannels: Int, scalingFactor: Double,
    precision: Precision, mapped: MappedWeights, arena: TensorArena?
  ) {
    self.info = info
    self.device = device
    self.promptEncoder = promptEncoder
    self.unet = unet
    self.vae = vae
    self.scheduler = scheduler
    self.latentChannels = latentChannels
    self.scalingFactor = Float(scalingFactor)
    self.precision = precision
    self.mapped = mapped
    self.arena = arena
  }

  /// Makes the pictures that `request` asks for. Synchronous: it computes on the calling thread and the device's.
  ///
  /// Pictures are made one after another, each from its own generator, so that a picture depends on its seed alone:
  /// the third of a request equals, bit for bit, the only one of a request with its seed.
  ///
  /// - Parameters:
  ///   - control: told, and asked whether to go on, at every block of the networks.
  ///   - trace: keeps what passes between the stages.
  /// - Throws: ``DiffusionError``, `CancellationError`, and what the device suffers.
  public func generate(
    _ request: GenerationRequest, control: GenerationControl = GenerationControl(), trace: TraceRecorder? = nil
  ) throws -> GenerationResult {
    let plan = try plan(request)
    arena?.restart()
    defer {
      prompts.trim()
      arena?.trim()
    }
    return try TensorArena.$current.withValue(arena) {
      try draw(request, plan, control: control, trace: trace)
    }
  }

  private func draw(
    _ request: GenerationRequest, _ plan: GenerationPlan, control: GenerationControl, trace: TraceRecorder?
  ) throws -> GenerationResult {
    let (schedule, stepCount) = (plan.schedule, plan.schedule.stepCount)
    let meter = WorkMeter(
      total: cost(of: plan, for: request), stepCount: stepCount * request.imageCount, control: control)
    var times = ComponentTimes()
    trace?.record("timesteps", list: schedule.timesteps)
    trace?.record("sigmas", list: schedule.sigmas)

    try meter.begin(.encodeText)
    let (conditioning, isKnown) = try times.measure("text") {
      try condition(on: request, plan, meter: meter, trace: trace)
    }
    let warnings = conditioning.warnings + [warningOfIgnoredNegativePrompt(request, plan)].compactMap(\.self)
    var initial: DiagonalGaussianDistribution?
    if let picture = request.initialImage {
      try meter.begin(.encodeImage)
      initial = try times.measure("vae_encode") { try vae.encode(Tensor(picture), meter: meter) }
    }

    var images: [GenerationResult.Image] = []
    for index in 0..<request.imageCount {
      let seed = request.seed &+ Int64(index)
      var generator = TorchGenerator(seed: seed)
      var latents = try startingLatents(plan, from: initial, &generator)
      trace?.record("initial_latents", map: latents)

      for step in 0..<stepCount {
        try meter.beginStep()
        let input = schedule.scaleModelInput(latents, at: step)
        let noisePrediction = try times.measure("unet") {
          try predictNoise(in: input, timestep: schedule.timesteps[step], conditioning, plan, meter)
            .requireFinite("the UNet's output at step \(step + 1) of \(stepCount)")
        }
        let noise = scheduler.needsNoise ? drawNoise(plan.latentShape, &generator) : nil
        latents = try scheduler.step(step, of: schedule, sample: latents, modelOutput: noisePrediction, noise: noise)
          .requireFinite("the latents after step \(step + 1) of \(stepCount)")
        trace?.record("noise_pred_\(step)", map: noisePrediction)
        trace?.record("latents_after_\(step)", map: latents)
      }
      trace?.record("latents", map: latents)

      try meter.begin(.decode)
      let decoded = try times.measure("vae_decode") {
        try vae.decode(latents.mapElements { $0 / scalingFactor }, meter: meter).requireFinite("the decoded picture")
      }
      trace?.record("decoded", map: decoded)
      images.append(GenerationResult.Image(pixels: RGBPixels(decoded), seed: seed))
    }
    if isKnown { times.forget("text") }
    return GenerationResult(images: images, warnings: warnings, timings: times.seconds, promptWasKnown: isKnown)
  }

  /// Bytes that earlier runs left in place for later ones: tensors' memory and encoded prompts.
  public var heldMemory: Int { (arena?.heldBytes ?? 0) + prompts.byteCount }
  /// The part of it that is encoded prompts.
  package var heldPromptBytes: Int { prompts.byteCount }
  /// What the tensors of the last run took; nil where the system reserves no addresses.
  package var memoryUsage: TensorArena.Usage? { arena?.usage }

  /// Drops what is kept of earlier prompts, so that the next run takes as long as the first.
  public func forgetPrompts() { prompts.removeAll() }

  /// Keeps no more bytes of earlier prompts than that, the ones used last.
  package func limitPrompts(bytes: Int) { prompts.limit(bytes: bytes) }

  /// Bytes of earlier prompts.
  package var promptBytes: Int { prompts.byteCount }
}
