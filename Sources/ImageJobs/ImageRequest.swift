package import Diffusion
package import Jobs

/// A row's request, checked before a model is loaded for it.
///
/// The table's CHECKs refuse most of this already at INSERT; it is checked again because rows also come from older schemas
/// and from `retry`, and because the worker's own limits are known only here.
package enum ImageRequest {
  /// The request of a job.
  ///
  /// - Parameters:
  ///   - job: the claimed row.
  ///   - initialImage: its initial picture, decoded and already of the requested size.
  /// - Throws: `JobError` naming the column and the legal values.
  package static func validated(
    _ job: Job, initialImage: RGBPixels? = nil, limits: ImageJobLimits
  ) throws -> GenerationRequest {
    try validate(job, limits: limits)
    return GenerationRequest(
      prompt: job.prompt, negativePrompt: job.negativePrompt, width: initialImage?.width ?? job.width,
      height: initialImage?.height ?? job.height, steps: job.steps, guidanceScale: job.guidanceScale, seed: job.seed,
      imageCount: job.imageCount, initialImage: initialImage, strength: job.strength)
  }

  /// Checks a job without its initial picture.
  package static func validate(_ job: Job, limits: ImageJobLimits) throws {
    try require(job.steps, "steps", GenerationLimits.steps)
    try require(job.imageCount, "image_count", GenerationLimits.imageCount)
    try require(job.guidanceScale, "guidance_scale", GenerationLimits.guidanceScale)
    try require(
      !job.seed.addingReportingOverflow(Int64(job.imageCount - 1)).overflow, "seed", job.seed,
      "such that seed + image_count − 1 fits in 64 bits")
    try require(!job.prompt.utf8.contains(0), "prompt", "text with a NUL character", "text without one")
    for (name, size) in [("width", job.width), ("height", job.height)] {
      guard let size else { continue }
      let (sizes, multiple) = (GenerationLimits.size, GenerationLimits.sizeMultiple)
      try require(
        sizes.contains(size) && size.isMultiple(of: multiple), name, size,
        "multiples of \(multiple) from \(sizes.lowerBound) to \(sizes.upperBound)")
    }
    if job.initImage != nil {
      try require(job.strength, "strength", GenerationLimits.strength)
      try require(
        Int(Double(job.steps) * job.strength) >= 1, "strength", job.strength,
        "at least \(1 / Double(job.steps)) with steps = \(job.steps), because int(steps × strength) denoising steps run "
          + "and one is the fewest")
    }
    if let width = job.width, let height = job.height { try checkSize(width: width, height: height, limits: limits) }
  }

  /// Refuses a picture that this worker has no room for; another one may have.
  package static func checkSize(width: Int, height: Int, limits: ImageJobLimits) throws {
    guard width.multipliedFullWidth(by: height).high == 0, width * height <= limits.maximumPixels else {
      throw JobError(
        code: "too_large_for_worker",
        message:
          "width × height is \(width) × \(height); this worker draws at most \(limits.maximumPixels) pixels. Ask for a "
          + "smaller picture, or run a worker with a larger --max-pixels.", isPermanent: false)
    }
  }

  /// NaN lies in no range, so it is refused too.
  private static func require<Value: Comparable & CustomStringConvertible>(
    _ value: Value, _ column: String, _ legal: ClosedRange<Value>
  ) throws {
    try require(legal.contains(value), column, value, "\(legal.lowerBound) to \(legal.upperBound)")
  }

  private static func require(
    _ isLegal: Bool, _ column: String, _ found: some CustomStringConvertible, _ legal: String
  ) throws {
    guard !isLegal else { return }
    throw JobError(
      code: "invalid_request", message: "\(column) is \(found); legal are \(legal)", isPermanent: true)
  }
}
