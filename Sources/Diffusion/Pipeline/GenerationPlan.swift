/// A request, found legal, with everything in it decided.
struct GenerationPlan {
  /// Size of the picture in pixels.
  let width: Int, height: Int
  /// Shape of one picture's latents, `[1, h, w, C]`.
  let latentShape: [Int]
  /// Noise levels to visit; already cut to the strength of an image-to-image run.
  let schedule: NoiseSchedule
  /// Nil: no classifier-free guidance, one UNet evaluation a step.
  let guidanceScale: Double?
}

/// What a request may ask for, whatever the model: the numbers of the queue's table, so that a job that was accepted is
/// not refused here. This target knows no queue, so it has them for itself; a test of ImageJobs, which sees both, compares.
public enum GenerationLimits {
  /// Width and height in pixels; multiples of ``sizeMultiple`` only.
  public static let size = 8...4096
  /// Width and height are multiples of this.
  public static let sizeMultiple = 8
  /// Denoising steps.
  public static let steps = 1...50
  /// Classifier-free guidance.
  public static let guidanceScale = 0.0...50.0
  /// Share of an initial picture that noise replaces.
  public static let strength = 0.0...1.0
  /// Pictures of one request.
  public static let imageCount = 1...64
}

extension DiffusionPipeline {
  /// Finds out whether this model can serve `request`, at no cost.
  /// - Throws: ``DiffusionError`` (`invalidRequest`) naming the first field that is not legal, and its legal values.
  public func validate(_ request: GenerationRequest) throws { _ = try plan(request) }

  /// Checks `request` and decides what it leaves open.
  func plan(_ request: GenerationRequest) throws -> GenerationPlan {
    let width = try size("width", request.width, ofInitialImage: request.initialImage?.width, info.defaultWidth)
    let height = try size("height", request.height, ofInitialImage: request.initialImage?.height, info.defaultHeight)
    try check("steps", request.steps, GenerationLimits.steps)
    try check("guidance_scale", request.guidanceScale, GenerationLimits.guidanceScale)
    try check("image_count", request.imageCount, GenerationLimits.imageCount)
    if request.initialImage != nil { try check("strength", request.strength, GenerationLimits.strength) }
    return GenerationPlan(
      width: width, height: height,
      latentShape: [1, height / info.downsamplingFactor, width / info.downsamplingFactor, latentChannels],
      schedule: try schedule(request),
      guidanceScale: request.guidanceScale > 1 ? request.guidanceScale : nil)
  }

  private func schedule(_ request: GenerationRequest) throws -> NoiseSchedule {
    do {
      let schedule = try scheduler.schedule(steps: request.steps)
      return request.initialImage == nil ? schedule : try schedule.truncated(strength: request.strength)
    } catch let error as SchedulerError {
      throw DiffusionError(.invalidRequest, field: error.field, error.description)
    }
  }

  private func size(_ field: String, _ asked: Int?, ofInitialImage given: Int?, _ modelSize: Int) throws -> Int {
    if let asked, let given, asked != given {
      throw DiffusionError(
        .invalidRequest, field: field,
        "\(field) is \(asked), but the initial picture's is \(given); legal: the initial picture's, or none. "
          + "Resize the picture first")
    }
    let size = asked ?? given ?? modelSize
    let multiple = max(GenerationLimits.sizeMultiple, info.downsamplingFactor)
    let limits = GenerationLimits.size
    guard limits.contains(size), size.isMultiple(of: multiple) else {
      let below = min(max(size / multiple * multiple, multiple), limits.upperBound)
      let nearest = size < limits.upperBound && size > below ? "\(below) or \(below + multiple)" : "\(below)"
      throw DiffusionError(
        .invalidRequest, field: field,
        "\(field) is \(size); legal: multiples of \(multiple) from \(multiple) to \(limits.upperBound); "
          + "nearest: \(nearest)")
    }
    return size
  }

  private func check<Value>(_ field: String, _ value: Value, _ legal: ClosedRange<Value>) throws {
    // Written so that NaN, which compares false with everything, is refused.
    guard legal.contains(value) else {
      throw DiffusionError(
        .invalidRequest, field: field,
        "\(field) is \(value); legal: \(legal.lowerBound) to \(legal.upperBound)")
    }
  }
}
