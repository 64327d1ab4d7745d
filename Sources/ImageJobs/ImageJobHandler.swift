internal import Diffusion
public import Jobs

/// Turns a claimed row into pictures on disk: row → request → engine → PNG → store.
public struct ImageJobHandler: Sendable {
  private let engine: InferenceEngine
  private let files: PictureFiles
  private let limits: ImageJobLimits
  private let softwareVersion: String

  /// - Parameters:
  ///   - softwareVersion: Tintype's, for the pictures' metadata.
  public init(
    engine: InferenceEngine, store: ArtifactStore, source: InitImageSource, limits: ImageJobLimits = ImageJobLimits(),
    softwareVersion: String
  ) {
    self.engine = engine
    files = PictureFiles(source: source, store: store)
    self.limits = limits
    self.softwareVersion = softwareVersion
  }

  /// Does one job; a `JobHandler`.
  ///
  /// - Throws: `JobError`, or `CancellationError` within one block of the network after the task was cancelled. No picture
  ///   is left behind then.
  public func callAsFunction(_ job: Job, _ reporter: any JobProgressReporter) async throws -> JobResult {
    let progress = JobProgress(reporter: reporter)
    try ImageRequest.validate(job, limits: limits)
    progress.began(.fetchInit)
    let start = try await files.initialPicture(of: job)
    let request = try ImageRequest.validated(job, initialImage: start?.pixels, limits: limits)
    progress.began(.loadModel)
    let drawing = try await engine.draw(
      request, model: job.model, limits: limits, loading: progress.loading, control: progress.control)
    progress.began(.write)
    let pictures = drawing.result.images.map { image in
      let metadata = PNGMetadata(
        request: request, image: image, initialImageSHA256: start?.sha256, model: drawing.model, facts: drawing.facts,
        job: job.id, softwareVersion: softwareVersion)
      return (pixels: image.pixels, seed: image.seed, metadata: metadata)
    }
    let images = try await files.store(pictures, of: job)
    return JobResult(
      images: images, warnings: drawing.result.warnings,
      timings: progress.timings(adding: drawing.result.timings, loadSeconds: drawing.loadSeconds))
  }

  /// Removes the pictures of an attempt whose lease was lost after they were written.
  public func discard(_ result: JobResult) async throws { try await files.discard(result.images) }
}
