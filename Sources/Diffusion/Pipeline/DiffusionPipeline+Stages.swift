internal import Tensors

/// What the UNet is told beside latents and timestep: one row, or with guidance two, the negative prompt's first.
struct Conditioning {
  let context: Tensor
  let added: UNet2DConditionModel.AddedConditioning?
}

/// The stages of ``DiffusionPipeline/generate(_:control:trace:)``.
extension DiffusionPipeline {
  /// Encodes the prompt and, when there is guidance, the negative prompt.
  func condition(
    on request: GenerationRequest, _ plan: GenerationPlan, warnings: inout [String], meter: WorkMeter,
    trace: TraceRecorder?
  ) throws -> Conditioning {
    let positive = try promptEncoder.encode(
      request.prompt, field: "prompt", warnings: &warnings, meter: meter, trace: trace)
    // SDXL's size conditioning: original size, corner of the crop, target size; heights first.
    let (height, width) = (Float(plan.height), Float(plan.width))
    let timeIDs: [Float] = [height, width, 0, 0, height, width]
    guard plan.guidanceScale != nil else {
      if let text = request.negativePrompt, !text.isEmpty {
        warnings.append(
          "negative_prompt was ignored: guidance_scale is \(request.guidanceScale), and only values above 1 use it")
      }
      return Conditioning(
        context: positive.context, added: positive.pooled.map { .init(textEmbeds: $0, timeIDs: [timeIDs]) })
    }
    let negative =
      if request.negativePrompt == nil, promptEncoder.zerosWithoutNegativePrompt {
        positive.zeros
      } else {
        try promptEncoder.encode(
          request.negativePrompt ?? "", field: "negative_prompt", warnings: &warnings, meter: meter, trace: trace)
      }
    var added: UNet2DConditionModel.AddedConditioning?
    if let first = negative.pooled, let second = positive.pooled {
      added = .init(textEmbeds: first.stacked(with: second), timeIDs: [timeIDs, timeIDs])
    }
    return Conditioning(context: negative.context.stacked(with: positive.context), added: added)
  }

  /// The noisiest latents of a run. Draws, in this order: with an initial picture the sample of its latents, then in
  /// either case the noise.
  func startingLatents(
    _ plan: GenerationPlan, from initial: DiagonalGaussianDistribution?, _ generator: inout TorchGenerator
  ) throws -> Tensor {
    guard let initial else {
      return plan.schedule.initialSample(noise: drawNoise(plan.latentShape, &generator))
    }
    let sample = try initial.sample(noise: drawNoise(plan.latentShape, &generator))
      .mapElements { $0 * scalingFactor }.requireFinite("the encoded initial picture")
    return plan.schedule.addNoise(drawNoise(plan.latentShape, &generator), to: sample)
  }

  /// Normals for latents of `shape` `[1, h, w, C]`, drawn in PyTorch's order, channels first.
  func drawNoise(_ shape: [Int], _ generator: inout TorchGenerator) -> Tensor {
    Tensor(channelsFirst: generator.randn(count: shape.reduce(1, *)), shape: shape)
  }

  /// The noise in `input`. With guidance (Ho and Salimans 2022) both prompts run as one batch, and the prediction moves
  /// from the negative prompt's towards, and past, the prompt's.
  func predictNoise(
    in input: Tensor, timestep: Float, _ conditioning: Conditioning, _ guidanceScale: Double?, _ meter: WorkMeter
  ) throws -> Tensor {
    func prediction(_ sample: Tensor) throws -> Tensor {
      try unet(
        sample, timestep: timestep, context: conditioning.context, added: conditioning.added, meter: meter)
    }
    guard let guidanceScale else { return try prediction(input) }
    let (negative, positive) = try prediction(input.stacked(with: input)).halves
    let direction = try device.combine(1, positive, -1, negative)
    return try device.combine(1, negative, Float(guidanceScale), direction)
  }

  /// Multiply-accumulates of the whole run.
  func cost(of plan: GenerationPlan, for request: GenerationRequest) -> Double {
    let (height, width) = (plan.latentShape[1], plan.latentShape[2])
    let isGuided = plan.guidanceScale != nil
    let encodesNegative = isGuided && !(request.negativePrompt == nil && promptEncoder.zerosWithoutNegativePrompt)
    let text = promptEncoder.cost * (encodesNegative ? 2 : 1)
    let encode = request.initialImage == nil ? 0 : vae.encodingCost(height: plan.height, width: plan.width)
    let step = unet.cost(height: height, width: width, contextTokens: promptEncoder.length) * (isGuided ? 2 : 1)
    let picture = step * Double(plan.schedule.stepCount) + vae.decodingCost(height: height, width: width)
    return text + encode + Double(request.imageCount) * picture
  }
}
