public import Diffusion
internal import Jobs

extension InferenceEngine {
  /// Draws.
  ///
  /// Draws take their turns in the order in which they come. With the one whose turn it is, those that wait for the same model and are
  /// like it are drawn too, where that is faster; none is drawn later for it than if it had waited for its own turn.
  ///
  /// - Parameters:
  ///   - request: legal already; what this model cannot do is thrown.
  ///   - model: nil for the default.
  ///   - limits: for a size that only the model decides.
  ///   - loading: share of the checkpoint read, when it has to be loaded.
  ///   - control: progress and cancellation, asked on the engine's thread.
  /// - Throws: `JobError`, or `CancellationError` when `control` said so or the task was cancelled: at once while it waits, within one
  ///   block of the network while it is drawn.
  public nonisolated func draw(
    _ request: GenerationRequest, model: String?, limits: ImageJobLimits = ImageJobLimits(),
    loading: @escaping @Sendable (Double) -> Void = { _ in }, control: GenerationControl
  ) async throws -> Drawing {
    let draw = PendingDraw(request, model: model, limits: limits, loading: loading, control: control)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        draw.wait(continuation)
        queue.append(draw)
        // Were it cancelled already, nobody would come to take it out.
        if draw.isCancelled { leave(draw) }
        // One turn of the thread for each draw, so that none is left waiting; a turn that finds nobody is over at once. Jobs that were claimed
        // together come here together: whoever is about to ask is let in first, so as to be drawn with this one.
        Task {
          await Task.yield()
          await drawNext()
        }
      }
    } onCancel: {
      draw.cancel()
      leave(draw)
    }
  }

  /// Ends a draw that waits; one that is drawn is ended by the pipeline.
  private nonisolated func leave(_ draw: PendingDraw) {
    if queue.remove(draw) { draw.finish(.failure(CancellationError())) }
  }

  /// The first draw that waits, and those that are drawn with it.
  private func drawNext() {
    guard let first = queue.takeFirst() else { return }
    do {
      // The wait for the thread may have outlived the attempt.
      if first.isCancelled { throw CancellationError() }
      let (generator, seconds) = try generatorForJob(first.model) { share in
        if first.isCancelled { throw CancellationError() }
        first.loading(share)
      }
      if first.isCancelled { throw CancellationError() }
      try checkSize(of: first, generator)
      let (candidates, picturesAtOnce) = try batch(with: first, generator)
      // One that was cancelled meanwhile has its outcome.
      let batch = candidates.filter { $0 === first || queue.remove($0) }
      let (name, facts) = (first.model ?? defaultModel, generator.facts)
      generator.generate(batch.map(\.member), picturesAtOnce: picturesAtOnce) { index, outcome in
        batch[index].finish(
          outcome.map {
            Drawing(result: $0, model: name, facts: facts, loadSeconds: index == 0 ? seconds : 0)
          })
      }
    } catch {
      first.finish(.failure(error))
    }
  }

  /// A draw, and of those that wait the first ones that are like it, as many as suit each other and fit into memory.
  private func batch(
    with first: PendingDraw, _ generator: any ImageGenerator
  ) throws -> (draws: [PendingDraw], picturesAtOnce: Int) {
    let most = try generator.picturesAtOnce(for: first.request)
    let alike = queue.all.filter { draw in
      (draw.model ?? defaultModel) == (first.model ?? defaultModel) && !draw.isCancelled
        && generator.areAlike(draw.request, first.request) && (try? checkSize(of: draw, generator)) != nil
    }
    func draws(_ picturesAtOnce: Int) -> [PendingDraw] {
      var pictures = first.request.imageCount
      return [first]
        + alike.prefix { draw in
          defer { pictures += draw.request.imageCount }
          return pictures < picturesAtOnce
        }
    }
    let (width, height) = Self.size(of: first, generator)
    let picturesAtOnce = try first.limits.memory.picturesAtOnce(upTo: most, width: width, height: height) {
      try generator.memory(for: draws($0).map(\.request), picturesAtOnce: $0)
    }
    return (draws(picturesAtOnce), picturesAtOnce)
  }

  private static func size(of draw: PendingDraw, _ generator: any ImageGenerator) -> (width: Int, height: Int) {
    let (width, height) = generator.defaultSize
    return (draw.request.width ?? width, draw.request.height ?? height)
  }

  private func checkSize(of draw: PendingDraw, _ generator: any ImageGenerator) throws {
    let (width, height) = Self.size(of: draw, generator)
    try ImageRequest.checkSize(width: width, height: height, limits: draw.limits)
  }
}
