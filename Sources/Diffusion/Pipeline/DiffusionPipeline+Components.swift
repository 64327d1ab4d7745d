public import Tensors

/// A part of the model that is worth a time of its own.
public enum PipelineComponent: String, Sendable, CaseIterable, CodingKeyRepresentable {
  case textEncoders = "text_encoders"
  case unet
  case vaeDecode = "vae_decode"
  case vaeEncode = "vae_encode"
}

extension DiffusionPipeline {
  /// One evaluation of a component for one picture, ready to be run again and again: what it needs from the others is
  /// computed already. Its input is made up, which changes nothing in what it costs.
  public func evaluation(of component: PipelineComponent, width: Int, height: Int) throws -> () throws -> Void {
    let plan = try plan(GenerationRequest(prompt: "", width: width, height: height, seed: 0))
    var generator = TorchGenerator(seed: 0)
    let latents = drawNoise(plan.latentShape, &generator)
    let inArena = { (body: () throws -> Void) throws in try TensorArena.$current.withValue(self.arena) { try body() } }
    let encode = {
      var warnings: [String] = []
      return try self.promptEncoder.encode(
        "a lake at dawn", field: "prompt", warnings: &warnings, meter: .unobserved, trace: nil)
    }
    switch component {
    case .textEncoders: return { try inArena { _ = try encode() } }
    case .unet:
      var embedding: PromptEncoder.Embedding?
      try inArena { embedding = try encode() }
      guard let embedding else { preconditionFailure("the prompt was not encoded") }
      return {
        let conditioning = Conditioning(context: embedding.context, pooled: embedding.pooled, warnings: [])
        try inArena { _ = try self.predictNoise(for: [(latents, conditioning, plan)], timestep: 999, .unobserved) }
      }
    case .vaeDecode:
      return { try inArena { _ = try self.vae.decode(latents, meter: .unobserved) } }
    case .vaeEncode:
      let picture = Tensor(
        RGBPixels(width: width, height: height, bytes: [UInt8](repeating: 128, count: 3 * width * height)))
      return { try inArena { _ = try self.vae.encode(picture, meter: .unobserved) } }
    }
  }

  /// The multiply-accumulates of one evaluation of each component of the model in `folder`, counted by walking through
  /// it with shapes alone.
  public static func work(
    ofModelIn folder: String, width: Int?, height: Int?
  ) throws -> [PipelineComponent: Work] {
    let device = PlanningDevice()
    let pipeline = try load(from: folder, device: device)
    var work: [PipelineComponent: Work] = [:]
    for component in PipelineComponent.allCases {
      let evaluate = try pipeline.evaluation(
        of: component, width: width ?? pipeline.info.defaultWidth, height: height ?? pipeline.info.defaultHeight)
      _ = device.takeWork()
      try evaluate()
      work[component] = device.takeWork()
    }
    return work
  }
}
