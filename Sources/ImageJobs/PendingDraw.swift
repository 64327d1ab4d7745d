internal import Diffusion
internal import Synchronization

/// A draw that waits for the engine's thread, or is on it.
final class PendingDraw: Sendable {
  let request: GenerationRequest
  /// Nil for the default.
  let model: String?
  let limits: ImageJobLimits
  let loading: @Sendable (Double) -> Void
  private let control: GenerationControl
  private let state = Mutex(State())

  private struct State {
    var isCancelled = false
    var continuation: CheckedContinuation<InferenceEngine.Drawing, any Error>?
  }

  init(
    _ request: GenerationRequest, model: String?, limits: ImageJobLimits, loading: @escaping @Sendable (Double) -> Void,
    control: GenerationControl
  ) {
    self.request = request
    self.model = model
    self.limits = limits
    self.loading = loading
    self.control = control
  }

  /// Whether its task was cancelled, or its control says so.
  var isCancelled: Bool { state.withLock { $0.isCancelled } || control.isCancelled() }

  /// Its task was cancelled. What runs on the engine's thread runs in another task, so it has to be told.
  func cancel() { state.withLock { $0.isCancelled = true } }

  /// The request, as a run of the pipeline takes it.
  var member: BatchMember {
    BatchMember(
      request, control: GenerationControl(progress: control.progress, isCancelled: { [self] in isCancelled }))
  }

  /// Keeps who waits for the outcome.
  func wait(_ continuation: CheckedContinuation<InferenceEngine.Drawing, any Error>) {
    state.withLock { $0.continuation = continuation }
  }

  /// Tells the outcome to who waits for it, once.
  func finish(_ outcome: Result<InferenceEngine.Drawing, any Error>) {
    let continuation = state.withLock { state in
      defer { state.continuation = nil }
      return state.continuation
    }
    guard let continuation else { preconditionFailure("a draw has one outcome") }
    continuation.resume(
      with: outcome.mapError { error in (error as? DiffusionError)?.jobError ?? error })
  }
}

/// The draws that wait for the engine's thread, in the order in which they came.
final class DrawQueue: Sendable {
  private let waiting = Mutex<[PendingDraw]>([])

  func append(_ draw: PendingDraw) { waiting.withLock { $0.append(draw) } }

  /// The first one, which waits no more.
  func takeFirst() -> PendingDraw? { waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() } }

  /// Those that wait now.
  var all: [PendingDraw] { waiting.withLock { $0 } }

  /// Takes one out.
  /// - Returns: false if it did not wait any more.
  func remove(_ draw: PendingDraw) -> Bool {
    waiting.withLock { waiting in
      guard let index = waiting.firstIndex(where: { $0 === draw }) else { return false }
      waiting.remove(at: index)
      return true
    }
  }
}
