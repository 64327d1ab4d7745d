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
  /// Small pictures are drawn some at a time, each from its own generator, and a picture depends on its seed alone:
  /// the third of a request equals, bit for bit, the only one of a request with its seed.
  ///
  /// - Parameters:
  ///   - picturesAtOnce: most pictures that are drawn together; nil: as many as are fastest.
  ///   - control: told, and asked whether to go on, at every block of the networks.
  ///   - trace: keeps what passes between the stages.
  /// - Throws: ``DiffusionError``, `CancellationError`, and what the device suffers.
  public func generate(
    _ request: GenerationRequest, picturesAtOnce: Int? = nil, control: GenerationControl = GenerationControl(),
    trace: TraceRecorder? = nil
  ) throws -> GenerationResult {
    _ = try plan(request)
    var outcome: Result<GenerationResult, any Error> = .failure(CancellationError())
    run([BatchMember(request, control: control)], picturesAtOnce: picturesAtOnce, trace: trace) { outcome = $1 }
    return try outcome.get()
  }

  /// Makes the pictures of several requests of one ``BatchKey``, in their order, small ones some at a time. Each picture is, bit for
  /// bit, the one that its request would make alone.
  ///
  /// - Parameters:
  ///   - members: requests, each with its own control: one that is cancelled, or whose numbers are not finite, leaves the others be.
  ///   - picturesAtOnce: most pictures that are drawn together; nil: as many as are fastest.
  ///   - finished: called on this thread, once for each member by its index, as soon as its last picture is done or it has failed.
  public func generate(
    _ members: [BatchMember], picturesAtOnce: Int? = nil,
    finished: @escaping (Int, Result<GenerationResult, any Error>) -> Void
  ) {
    run(members, picturesAtOnce: picturesAtOnce, trace: nil, finished: finished)
  }

  private func run(
    _ members: [BatchMember], picturesAtOnce: Int?, trace: TraceRecorder?,
    finished: @escaping (Int, Result<GenerationResult, any Error>) -> Void
  ) {
    var key: BatchKey?
    let runMembers = members.enumerated().compactMap { index, member -> RunMember? in
      do {
        let plan = try plan(member.request)
        precondition(key == nil || key == BatchKey(plan), "requests of one run must be alike")
        key = BatchKey(plan)
        return RunMember(
          member.request, plan, totalCost: cost(of: plan, for: member.request), control: member.control, trace: trace
        ) { finished(index, $0) }
      } catch {
        finished(index, .failure(error))
        return nil
      }
    }
    guard let key else { return }
    arena?.restart()
    defer {
      prompts.trim()
      arena?.trim()
    }
    TensorArena.$current.withValue(arena) {
      GenerationRun(self, runMembers, picturesAtOnce: picturesAtOnce ?? key.picturesAtOnce).draw()
    }
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
