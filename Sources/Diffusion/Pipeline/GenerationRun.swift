internal import Tensors

/// One run of the pipeline: the pictures of some requests that are alike, several at a time where that is faster.
///
/// The UNet takes a batch of pictures; everything else is done picture by picture, and every picture has its own generator. The kernels
/// compute each member of a batch as they would compute it alone, so a picture's bits depend on its request and its seed, not on
/// those that it was drawn with.
///
/// Requests are independent of each other here too: what ends one (it is cancelled, its numbers are not finite) leaves the others be.
final class GenerationRun {
  private let pipeline: DiffusionPipeline
  private let members: [RunMember]
  private let picturesAtOnce: Int

  /// A picture on its way.
  private final class Picture {
    let member: RunMember
    let seed: Int64
    var generator: TorchGenerator
    var latents: Tensor?

    init(_ member: RunMember, index: Int) {
      self.member = member
      seed = member.request.seed &+ Int64(index)
      generator = TorchGenerator(seed: seed)
    }
  }

  /// - Parameter members: one at least, of one ``BatchKey``.
  init(_ pipeline: DiffusionPipeline, _ members: [RunMember], picturesAtOnce: Int) {
    precondition(picturesAtOnce >= 1, "a run draws at least one picture at a time")
    self.pipeline = pipeline
    self.members = members
    self.picturesAtOnce = picturesAtOnce
  }

  /// Draws; every member has its outcome in the end.
  func draw() {
    for member in members { attempt(for: [member]) { try encodeText(member, $0) } }
    if members.contains(where: { $0.text?.wasKnown == false }) { pipeline.mapped.releaseTextEncoders() }
    for member in members { attempt(for: [member]) { try encodeImage(member, $0) } }
    var waiting = members.flatMap { member in (0..<member.request.imageCount).map { (member, $0) } }
    while true {
      waiting.removeAll { member, _ in member.isFinished }
      guard !waiting.isEmpty else { return }
      draw(waiting.prefix(picturesAtOnce).map { Picture($0, index: $1) })
      waiting.removeFirst(min(picturesAtOnce, waiting.count))
    }
  }

  // MARK: Stages

  private func encodeText(_ member: RunMember, _ meter: WorkMeter) throws {
    member.trace?.record("timesteps", list: member.plan.schedule.timesteps)
    member.trace?.record("sigmas", list: member.plan.schedule.sigmas)
    member.enter(.encodeText)
    try meter.advance(0)
    member.text = try member.times.measure("text") {
      try pipeline.condition(on: member.request, member.plan, meter: meter, trace: member.trace)
    }
  }

  private func encodeImage(_ member: RunMember, _ meter: WorkMeter) throws {
    guard let picture = member.request.initialImage else { return }
    member.enter(.encodeImage)
    try meter.advance(0)
    member.initial = try member.times.measure("vae_encode") { try pipeline.vae.encode(Tensor(picture), meter: meter) }
  }

  /// From noise to pixels, one batch.
  private func draw(_ pictures: [Picture]) {
    for picture in pictures { attempt(for: [picture.member]) { _ in try start(picture) } }
    for step in 0..<members[0].plan.schedule.stepCount {
      let rest = pictures.filter { !$0.member.isFinished }
      guard !rest.isEmpty else { return }
      attempt(for: rest.map(\.member)) { try denoise(rest, step: step, $0) }
    }
    for picture in pictures { attempt(for: [picture.member]) { try decode(picture, $0) } }
  }

  private func start(_ picture: Picture) throws {
    let member = picture.member
    let latents = try pipeline.startingLatents(member.plan, from: member.initial, &picture.generator)
    member.trace?.record("initial_latents", map: latents)
    picture.latents = latents
  }

  private func denoise(_ pictures: [Picture], step: Int, _ meter: WorkMeter) throws {
    for picture in pictures { picture.member.enter(.denoise, steps: 1) }
    try meter.advance(0)
    let schedule = pictures[0].member.plan.schedule
    let start = ContinuousClock.now
    let predictions = try pipeline.predictNoise(
      for: pictures.map { picture in
        guard let latents = picture.latents, let text = picture.member.text else {
          preconditionFailure("a picture without a beginning")
        }
        return (schedule.scaleModelInput(latents, at: step), text.conditioning, picture.member.plan)
      }, timestep: schedule.timesteps[step], meter)
    // Each has its share of the time, so that the requests' times add up to the time that has passed.
    let share = (ContinuousClock.now - start) / pictures.count
    for (picture, prediction) in zip(pictures, predictions) {
      picture.member.times.add(share, to: "unet")
      attempt(for: [picture.member]) { _ in try advance(picture, step, prediction) }
    }
  }

  /// A step of the scheduler.
  private func advance(_ picture: Picture, _ step: Int, _ prediction: Tensor) throws {
    guard let latents = picture.latents else { return }
    let (member, schedule) = (picture.member, picture.member.plan.schedule)
    let place = "step \(step + 1) of \(schedule.stepCount)"
    let prediction = try prediction.requireFinite("the UNet's output at \(place)")
    let noise =
      pipeline.scheduler.needsNoise ? pipeline.drawNoise(member.plan.latentShape, &picture.generator) : nil
    let next = try pipeline.scheduler.step(step, of: schedule, sample: latents, modelOutput: prediction, noise: noise)
      .requireFinite("the latents after \(place)")
    member.trace?.record("noise_pred_\(step)", map: prediction)
    member.trace?.record("latents_after_\(step)", map: next)
    picture.latents = next
  }

  private func decode(_ picture: Picture, _ meter: WorkMeter) throws {
    guard let latents = picture.latents else { return }
    picture.latents = nil
    let member = picture.member
    member.trace?.record("latents", map: latents)
    member.enter(.decode)
    try meter.advance(0)
    let decoded = try member.times.measure("vae_decode") {
      try pipeline.vae.decode(latents.mapElements { $0 / pipeline.scalingFactor }, meter: meter)
        .requireFinite("the decoded picture")
    }
    member.trace?.record("decoded", map: decoded)
    member.images.append(GenerationResult.Image(pixels: RGBPixels(decoded), seed: picture.seed))
    if member.images.count == member.request.imageCount { member.finish(.success(pipeline.result(of: member))) }
  }

  // MARK: Members

  /// Does work for some members, named once for each picture of theirs in it. What it throws ends those that have not ended, and no other
  /// member.
  private func attempt(for workers: [RunMember], _ work: (WorkMeter) throws -> Void) {
    guard workers.contains(where: { !$0.isFinished }) else { return }
    do {
      try work(WorkMeter { try self.advance($0, workers) })
    } catch {
      for member in workers where !member.isFinished { member.finish(.failure(error)) }
    }
  }

  /// Lets those go that are cancelled, whether the work is theirs or not, and counts the work for the others.
  /// - Throws: `CancellationError` when nobody wants this work any more.
  private func advance(_ cost: Double, _ workers: [RunMember]) throws {
    for member in members { member.leaveIfCancelled() }
    guard workers.contains(where: { !$0.isFinished }) else { throw CancellationError() }
    let share = cost / Double(workers.count)
    for (index, member) in workers.enumerated() where !member.isFinished {
      // Told once, of all its pictures together.
      guard !workers[..<index].contains(where: { $0 === member }) else { continue }
      member.advance(share * Double(workers.count { $0 === member }))
    }
  }
}
