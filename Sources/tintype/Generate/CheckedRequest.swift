import Diffusion
import ImageJobs
import Jobs

/// The request of a command line, judged by the table's own rules, in the table's own words.
struct CheckedRequest {
  let generation: GenerationRequest
  /// Of the encoded initial picture, for the metadata.
  let initImageSHA256: [UInt8]?

  /// - Parameter initImage: path of a PNG or JPEG; unlike a job's it may lie anywhere, because whoever runs the command may
  ///   read it anyway.
  init(_ options: RequestOptions, initImage: String?) throws {
    var request = options.jobRequest
    request.initImageData = try initImage.map { try InputFile.read($0, option: "init-image") }
    if let problem = request.problem { throw CommandError(.invalidData, "\(problem.message).") }

    let isImageToImage = initImage != nil
    let steps = request.steps ?? (isImageToImage ? 2 : 1)
    let job = Job(
      id: 0, attemptID: 0, prompt: request.prompt, negativePrompt: request.negativePrompt, width: request.width,
      height: request.height, steps: steps, guidanceScale: request.guidanceScale ?? 0,
      strength: request.strength ?? (isImageToImage && steps > 1 ? 0.5 : 1),
      // As the table draws one, so that a seed is always one that any tool can take.
      seed: request.seed ?? Int64.random(in: 0..<1 << 32), imageCount: request.imageCount ?? 1,
      initImage: request.initImageData.map { .data($0) })
    let limits = ImageJobLimits(maximumPixels: RequestLimits.side.upperBound * RequestLimits.side.upperBound)
    let start = try job.initImage.map {
      try InitImageSource(inputRoot: nil, outputRoot: "", limits: limits)
        .picture(for: $0, width: job.width, height: job.height)
    }
    generation = try ImageRequest.validated(job, initialImage: start?.pixels, limits: limits)
    initImageSHA256 = start?.sha256
  }
}
