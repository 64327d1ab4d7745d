/// How far a run has got, in multiply-accumulates; polled for cancellation at every block of a network.
///
/// Steps alone would be a poor measure: a turbo model takes one, and more than half of the time goes to the VAE.
package final class WorkMeter {
  private let control: GenerationControl
  private let total: Double
  private var done = 0.0
  private var progress: GenerationProgress

  /// - Parameters:
  ///   - total: the whole run's multiply-accumulates.
  ///   - stepCount: denoising steps to be run, over all pictures.
  package init(total: Double, stepCount: Int, control: GenerationControl) {
    self.control = control
    self.total = max(total, 1)
    progress = GenerationProgress(phase: .encodeText, step: 0, stepCount: stepCount, fraction: 0)
  }

  /// A meter that nobody reads and that never stops a run.
  package static var unobserved: WorkMeter { WorkMeter(total: 1, stepCount: 1, control: GenerationControl()) }

  /// Enters a phase of the pipeline.
  func begin(_ phase: GenerationProgress.Phase) throws {
    progress.phase = phase
    try advance(0)
  }

  /// Enters the next denoising step.
  func beginStep() throws {
    progress.phase = .denoise
    progress.step += 1
    try advance(0)
  }

  /// Counts a finished block and tells the caller.
  /// - Throws: `CancellationError` when the caller wants no more.
  func advance(_ cost: Double) throws {
    done += cost
    progress.fraction = min(done / total, 1)
    if control.isCancelled() { throw CancellationError() }
    control.progress(progress)
  }
}
