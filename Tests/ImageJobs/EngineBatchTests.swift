import Diffusion
import Dispatch
import ImageJobs
import Jobs
import Synchronization
import Testing

/// A model that draws up to four pictures of one width at once, and says which requests it was given together.
private struct BatchingModel: ImageGenerator {
  let facts = ModelFacts(weightsHash: "", sampler: "Euler")
  let defaultSize = (width: 64, height: 64)
  /// The prompts of each run.
  let runs: Runs
  /// Called at the start of a run and before each member, with what a block of the network would do.
  let block: @Sendable (_ prompts: [String]) -> Void
  let need: @Sendable (_ requests: Int, _ picturesAtOnce: Int) -> MemoryNeed?

  final class Runs: Sendable {
    let prompts = Mutex<[[String]]>([])
    let picturesAtOnce = Mutex<[Int]>([])
  }

  func picturesAtOnce(for request: GenerationRequest) throws -> Int { 4 }
  func areAlike(_ a: GenerationRequest, _ b: GenerationRequest) -> Bool { a.width == b.width }
  func memory(for requests: [GenerationRequest], picturesAtOnce: Int) throws -> MemoryNeed? {
    need(requests.count, picturesAtOnce)
  }

  func generate(
    _ members: [BatchMember], picturesAtOnce: Int,
    finished: @escaping (Int, Result<GenerationResult, any Error>) -> Void
  ) {
    let prompts = members.map(\.request.prompt)
    runs.prompts.withLock { $0.append(prompts) }
    runs.picturesAtOnce.withLock { $0.append(picturesAtOnce) }
    block(prompts)
    for (index, member) in members.enumerated() {
      finished(
        index,
        Result {
          if member.control.isCancelled() { throw CancellationError() }
          if member.request.prompt == "torn" { throw DiffusionError(.notFinite, "torn") }
          return GenerationResult(images: [], warnings: [member.request.prompt], timings: [:])
        })
    }
  }
}

/// Draws that wait together are drawn together, and each has its own outcome.
@Suite struct EngineBatchTests {
  private let runs = BatchingModel.Runs()
  /// Lets the run of the prompt “first” go on.
  private let release = DispatchSemaphore(value: 0)
  private let begun = AsyncStream<Void>.makeStream()

  private func engine(
    need: @escaping @Sendable (Int, Int) -> MemoryNeed? = { _, _ in nil },
    block: @escaping @Sendable ([String]) -> Void = { _ in }
  ) -> InferenceEngine {
    InferenceEngine(models: [("a", "/a"), ("b", "/b")], capacity: 2) { [runs, release, begun] _, _ in
      BatchingModel(
        runs: runs,
        block: { prompts in
          if prompts == ["first"] {
            begun.continuation.yield()
            release.wait()
          }
          block(prompts)
        }, need: need)
    }
  }

  private struct Draw {
    var prompt: String
    var width = 64
    var imageCount = 1
    var model: String?
  }

  private func start(
    _ draw: Draw, on engine: InferenceEngine, limits: ImageJobLimits = ImageJobLimits()
  ) -> Task<[String], any Error> {
    let request = GenerationRequest(
      prompt: draw.prompt, width: draw.width, height: 64, seed: 1, imageCount: draw.imageCount)
    return Task {
      try await engine.draw(request, model: draw.model, limits: limits, control: GenerationControl()).result.warnings
    }
  }

  /// Starts one draw, and the others in their order while it keeps the thread.
  private func start(
    _ draws: [Draw], on engine: InferenceEngine, limits: ImageJobLimits = ImageJobLimits()
  ) async -> [Task<[String], any Error>] {
    var tasks = [start(Draw(prompt: "first"), on: engine)]
    for await _ in begun.stream { break }
    for (number, draw) in draws.enumerated() {
      tasks.append(start(draw, on: engine, limits: limits))
      while engine.waitingDraws <= number { await Task.yield() }
    }
    return tasks
  }

  @Test func thoseThatWaitAreDrawnTogetherInTheirOrder() async throws {
    let engine = engine()
    let tasks = await start(
      [
        Draw(prompt: "1"), Draw(prompt: "wide", width: 128), Draw(prompt: "2"), Draw(prompt: "other", model: "b"),
        Draw(prompt: "3", imageCount: 2), Draw(prompt: "4"), Draw(prompt: "too wide", width: 128, imageCount: 4),
      ], on: engine)
    release.signal()
    for task in tasks { _ = try await task.value }
    // Four pictures are enough; the first that waits is always the next; who is passed keeps his place.
    #expect(
      runs.prompts.withLock { $0 } == [["first"], ["1", "2", "3"], ["wide", "too wide"], ["other"], ["4"]])
    for (task, prompt) in zip(tasks, ["first", "1", "wide", "2", "other", "3", "4", "too wide"]) {
      #expect(try await task.value == [prompt])
    }
  }

  @Test func aDrawIsEndedWithoutTheOthers() async throws {
    let engine = engine()
    let tasks = await start(["1", "2", "torn", "3"].map { Draw(prompt: $0) }, on: engine)
    // While it waits it hears at once: the thread is still busy.
    tasks[2].cancel()
    await #expect(throws: CancellationError.self) { try await tasks[2].value }
    #expect(engine.waitingDraws == 3)
    release.signal()
    #expect(try await tasks[1].value == ["1"])
    #expect(try await tasks[4].value == ["3"])
    let error = try await #require(throws: JobError.self) { try await tasks[3].value }
    #expect(error == JobError(code: "not_finite", message: "torn", isPermanent: false))
    #expect(runs.prompts.withLock { $0 } == [["first"], ["1", "torn", "3"]])
  }

  @Test func aDrawIsEndedWhileItIsDrawnWithOthers() async throws {
    let (drawing, goOn) = (AsyncStream<Void>.makeStream(), DispatchSemaphore(value: 0))
    let engine = engine(block: { prompts in
      guard prompts.count > 1 else { return }
      drawing.continuation.yield()
      goOn.wait()
    })
    let tasks = await start(["1", "2"].map { Draw(prompt: $0) }, on: engine)
    release.signal()
    for await _ in drawing.stream { break }
    tasks[2].cancel()
    goOn.signal()
    await #expect(throws: CancellationError.self) { try await tasks[2].value }
    #expect(try await tasks[1].value == ["1"])
    #expect(runs.prompts.withLock { $0 } == [["first"], ["1", "2"]])
  }

  /// What does not fit becomes smaller; what cannot be made smaller is refused.
  @Test func aBatchThatDoesNotFitBecomesSmaller() async throws {
    @Sendable func plan(_ bytes: Int) -> MemoryNeed {
      MemoryNeed(
        plan: MemoryPlan(
          mappedWeights: 0, releasedWeights: 0, privateWeights: 0, activations: bytes, liveActivations: bytes,
          scratch: 0, prompts: 0, picturesAtOnce: 1, pictures: 0), held: 0)
    }
    let engine = engine(need: { requests, picturesAtOnce in plan(1000 * picturesAtOnce + requests) })
    let limits = ImageJobLimits(memory: MemoryLimit(bytes: 2500))
    let tasks = await start(["1", "2", "3"].map { Draw(prompt: $0) }, on: engine, limits: limits)
    release.signal()
    for task in tasks { _ = try await task.value }
    #expect(runs.prompts.withLock { $0 } == [["first"], ["1", "2"], ["3"]])
    #expect(runs.picturesAtOnce.withLock { $0 } == [4, 2, 2])
    let tight = ImageJobLimits(memory: MemoryLimit(bytes: 1000))
    let error = try await #require(throws: JobError.self) {
      try await start(Draw(prompt: "4"), on: engine, limits: tight).value
    }
    #expect(error.code == "too_large_for_memory")
  }
}
