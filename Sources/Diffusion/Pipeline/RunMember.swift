/// A request among those of a run, and what has been made of it so far.
final class RunMember {
  let request: GenerationRequest
  let plan: GenerationPlan
  /// Keeps what passes between the stages, if anyone wants it.
  let trace: TraceRecorder?
  /// What the UNet is told of the prompts, once they are encoded.
  var text: (conditioning: Conditioning, wasKnown: Bool)?
  /// The initial picture's latents, if there is one.
  var initial: DiagonalGaussianDistribution?
  var images: [GenerationResult.Image] = []
  var times = ComponentTimes()
  /// Whether its caller has the outcome, and nothing more is to be done for it.
  private(set) var isFinished = false

  private let control: GenerationControl
  private let finished: (Result<GenerationResult, any Error>) -> Void
  private let totalCost: Double
  private var cost = 0.0
  private var progress: GenerationProgress

  /// - Parameters:
  ///   - totalCost: the request's multiply-accumulates.
  ///   - finished: called once.
  init(
    _ request: GenerationRequest, _ plan: GenerationPlan, totalCost: Double, control: GenerationControl,
    trace: TraceRecorder?, finished: @escaping (Result<GenerationResult, any Error>) -> Void
  ) {
    self.request = request
    self.plan = plan
    self.control = control
    self.trace = trace
    self.finished = finished
    self.totalCost = max(totalCost, 1)
    progress = GenerationProgress(
      phase: .encodeText, step: 0, stepCount: plan.schedule.stepCount * request.imageCount, fraction: 0)
  }

  /// Enters a phase of the pipeline; `steps` denoising steps begin with it.
  func enter(_ phase: GenerationProgress.Phase, steps: Int = 0) {
    progress.phase = phase
    progress.step += steps
  }

  /// Counts finished work and tells the caller.
  func advance(_ cost: Double) {
    self.cost += cost
    progress.fraction = min(self.cost / totalCost, 1)
    control.progress(progress)
  }

  /// Ends the request if its caller wants it no more.
  func leaveIfCancelled() {
    if !isFinished, control.isCancelled() { finish(.failure(CancellationError())) }
  }

  /// Tells the caller the outcome.
  func finish(_ outcome: Result<GenerationResult, any Error>) {
    precondition(!isFinished, "a request has one outcome")
    isFinished = true
    (initial, text, images) = (nil, nil, [])
    finished(outcome)
  }
}
