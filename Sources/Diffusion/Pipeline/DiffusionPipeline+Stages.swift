internal import Tensors

/// The stages of a ``GenerationRun``.
extension DiffusionPipeline {
  /// Encodes the prompt and, when there is guidance, the negative prompt; or finds them encoded.
  ///
  /// - Parameter trace: what it keeps is not in the cache, so with it everything is computed.
  func condition(
    on request: GenerationRequest, _ plan: GenerationPlan, meter: WorkMeter, trace: TraceRecorder?
  ) throws -> (conditioning: Conditioning, wasKnown: Bool) {
    let key = conditioningKey(of: request, plan)
    if trace == nil, let known = prompts.conditioning(key) {
      try meter.advance(textCost(of: key))
      return (known, true)
    }
    let conditioning = try encode(key, meter: meter, trace: trace)
    prompts.insert(conditioning, key)
    return (conditioning, false)
  }

  /// What the prompts' encodings are kept by.
  func conditioningKey(of request: GenerationRequest, _ plan: GenerationPlan) -> Conditioning.Key {
    let isGuided = plan.guidanceScale != nil
    let usesZeros = request.negativePrompt == nil && promptEncoder.zerosWithoutNegativePrompt
    return Conditioning.Key(
      prompt: request.prompt, negativePrompt: isGuided && !usesZeros ? request.negativePrompt ?? "" : nil,
      isGuided: isGuided)
  }

  private func encode(_ key: Conditioning.Key, meter: WorkMeter, trace: TraceRecorder?) throws -> Conditioning {
    var warnings: [String] = []
    let positive = try promptEncoder.encode(
      key.prompt, field: "prompt", warnings: &warnings, meter: meter, trace: trace)
    guard key.isGuided else {
      return Conditioning(context: positive.context, pooled: positive.pooled, warnings: warnings)
    }
    let negative =
      if let text = key.negativePrompt {
        try promptEncoder.encode(text, field: "negative_prompt", warnings: &warnings, meter: meter, trace: trace)
      } else {
        positive.zeros
      }
    var pooled: Tensor?
    if let first = negative.pooled, let second = positive.pooled { pooled = Tensor(stacking: [first, second]) }
    return Conditioning(
      context: Tensor(stacking: [negative.context, positive.context]), pooled: pooled, warnings: warnings)
  }

  private func textCost(of key: Conditioning.Key) -> Double {
    promptEncoder.cost * (key.negativePrompt == nil ? 1 : 2)
  }

  /// Says that a negative prompt has no effect.
  private func warningOfIgnoredNegativePrompt(_ request: GenerationRequest, _ plan: GenerationPlan) -> String? {
    guard plan.guidanceScale == nil, let text = request.negativePrompt, !text.isEmpty else { return nil }
    return "negative_prompt was ignored: guidance_scale is \(request.guidanceScale), and only values above 1 use it"
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

  /// The noise in the pictures of a batch. With guidance (Ho and Salimans 2022) each picture is there twice, once for each prompt, and
  /// its prediction moves from the negative prompt's towards, and past, the prompt's.
  func predictNoise(
    for pictures: [(input: Tensor, conditioning: Conditioning, plan: GenerationPlan)], timestep: Float,
    _ meter: WorkMeter
  ) throws -> [Tensor] {
    let texts = pictures.map { $1.text(width: $2.width, height: $2.height) }
    let samples = zip(pictures, texts).flatMap { Array(repeating: $0.input, count: $1.count) }
    var rows = try unet(Tensor(stacking: samples), timestep: timestep, texts: texts, meter: meter).members[...]
    return try pictures.map { picture in
      guard let guidanceScale = picture.plan.guidanceScale else { return rows.removeFirst() }
      let (negative, positive) = (rows.removeFirst(), rows.removeFirst())
      let direction = try device.combine(1, positive, -1, negative)
      return try device.combine(1, negative, Float(guidanceScale), direction)
    }
  }

  /// What a finished run has made of a request.
  func result(of member: RunMember) -> GenerationResult {
    guard let text = member.text else { preconditionFailure("a picture without its text") }
    var times = member.times
    if text.wasKnown { times.forget("text") }
    let ignored = warningOfIgnoredNegativePrompt(member.request, member.plan)
    return GenerationResult(
      images: member.images, warnings: text.conditioning.warnings + [ignored].compactMap(\.self),
      timings: times.seconds,
      promptWasKnown: text.wasKnown)
  }

  /// Multiply-accumulates of the whole run.
  func cost(of plan: GenerationPlan, for request: GenerationRequest) -> Double {
    let (height, width) = (plan.latentShape[1], plan.latentShape[2])
    let isGuided = plan.guidanceScale != nil
    let text = textCost(of: conditioningKey(of: request, plan))
    let encode = request.initialImage == nil ? 0 : vae.encodingCost(height: plan.height, width: plan.width)
    let step = unet.cost(height: height, width: width, contextTokens: promptEncoder.length) * (isGuided ? 2 : 1)
    let picture = step * Double(plan.schedule.stepCount) + vae.decodingCost(height: height, width: width)
    return text + encode + Double(request.imageCount) * picture
  }
}
