import Diffusion
import Tensors
import Testing

/// What a run leaves for the next one, and that it changes no picture.
@Suite struct PromptCacheTests {
  static let requests: [GenerationRequest] = [
    GenerationRequest(prompt: "an old house", width: 72, height: 64, steps: 2, seed: 3),
    GenerationRequest(
      prompt: "an old house", negativePrompt: "fog", width: 72, height: 64, steps: 3, guidanceScale: 2, seed: 3),
    GenerationRequest(prompt: "an old house", width: 72, height: 64, steps: 3, guidanceScale: 2, seed: 3),
    // The same prompt and timestep at another size, which SDXL's time embedding knows.
    GenerationRequest(prompt: "an old house", width: 64, height: 72, steps: 2, seed: 3),
  ]

  @Test(arguments: GoldenModel.all)
  func aKnownPromptGivesTheSameBits(_ model: GoldenModel) throws {
    let pipeline = try model.pipeline(.cpu)
    for request in Self.requests {
      // Each compared with a pipeline that has seen nothing.
      let fresh = try model.pipeline(.cpu).generate(request)
      #expect(!fresh.promptWasKnown)
      _ = try pipeline.generate(request)
      let again = try pipeline.generate(request)
      #expect(again.promptWasKnown)
      #expect(fresh.timings["text"] != nil && again.timings["text"] == nil)
      #expect(again.images.map(\.pixels) == fresh.images.map(\.pixels))
      #expect(again.warnings == fresh.warnings)
    }
  }

  @Test func guidanceAndTheNegativePromptTellPromptsApart() throws {
    let pipeline = try GoldenModel(name: "sdxl").pipeline(.cpu)
    var request = GenerationRequest(prompt: "a red boat", width: 64, height: 64, seed: 3)
    func known() throws -> Bool { try pipeline.generate(request).promptWasKnown }
    #expect(try !known())
    request.guidanceScale = 2
    #expect(try !known())
    request.negativePrompt = "fog"
    #expect(try !known())
    request.negativePrompt = ""
    #expect(try !known())
    request.prompt = "a blue boat"
    #expect(try !known())
    // Without guidance a negative prompt is not looked at.
    request = GenerationRequest(prompt: "a red boat", negativePrompt: "snow", width: 64, height: 64, seed: 4)
    #expect(try known())
    pipeline.forgetPrompts()
    #expect(try !known())
  }

  /// Two prompts have room: the one that was not used for longest leaves, with all that the UNet made of it.
  @Test(arguments: GoldenModel.all)
  func theOneUnusedForLongestLeaves(_ model: GoldenModel) throws {
    let pipeline = try model.pipeline(.cpu)
    func known(_ prompt: String) throws -> Bool {
      try pipeline.generate(GenerationRequest(prompt: prompt, width: 64, height: 64, seed: 3)).promptWasKnown
    }
    #expect(try !known("a house"))
    let one = pipeline.promptBytes
    #expect(one > 0)
    pipeline.limitPrompts(bytes: 2 * one)
    #expect(try !known("a boat"))
    #expect(pipeline.promptBytes == 2 * one)
    #expect(try known("a house"))
    #expect(try !known("a tree"))
    #expect(pipeline.promptBytes == 2 * one)
    #expect(try known("a house"))
    #expect(try !known("a boat"), "it was to leave when the tree came")
    pipeline.limitPrompts(bytes: one - 1)
    #expect(pipeline.promptBytes == 0)
    // What does not fit is drawn all the same, and not kept.
    #expect(try !known("a house"))
    #expect(try !known("a house"))
  }

  /// A recorder gets everything, known prompt or not.
  @Test func recordingComputesEverything() throws {
    let pipeline = try GoldenModel(name: "sdxl").pipeline(.cpu)
    _ = try pipeline.generate(Self.requests[0])
    let trace = TraceRecorder()
    #expect(try !pipeline.generate(Self.requests[0], trace: trace).promptWasKnown)
    #expect(trace.entry("input_ids") != nil)
    #expect(trace.entry("prompt_embeds") != nil)
  }

  @Test func warningsOfAKnownPromptAreRepeated() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    let request = GenerationRequest(
      prompt: String(repeating: "a small red house ", count: 40), width: 64, height: 64, seed: 3)
    let first = try pipeline.generate(request).warnings
    #expect(first.count == 1)
    #expect(try pipeline.generate(request).warnings == first)
  }
}
