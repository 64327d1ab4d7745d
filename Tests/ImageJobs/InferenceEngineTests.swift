import Diffusion
import Dispatch
import Glibc
import ImageJobs
import Jobs
import Synchronization
import Testing

/// A model that does what a test says.
private struct ScriptedModel: ImageGenerator {
  let facts = ModelFacts(weightsHash: "", sampler: "Euler")
  var defaultSize = (width: 64, height: 32)
  var body: @Sendable (GenerationControl) throws -> Void = { _ in }

  func generate(
    _ members: [BatchMember], picturesAtOnce: Int,
    finished: @escaping (Int, Result<GenerationResult, any Error>) -> Void
  ) {
    for (index, member) in members.enumerated() {
      finished(
        index,
        Result {
          try body(member.control)
          return GenerationResult(images: [], warnings: [], timings: [:])
        })
    }
  }
}

@Suite struct InferenceEngineTests {
  private let request = GenerationRequest(prompt: "x", seed: 1)
  private let loads = Loads()

  private final class Loads: Sendable {
    let folders = Mutex<[String]>([])
    var all: [String] { folders.withLock { $0 } }
  }

  private func engine(
    capacity: Int = 1, _ body: @escaping @Sendable (GenerationControl) throws -> Void = { _ in }
  ) -> InferenceEngine {
    InferenceEngine(models: [("a", "/a"), ("b", "/b"), ("c", "/c")], capacity: capacity) { [loads] folder, progress in
      loads.folders.withLock { $0.append(folder) }
      try progress(1)
      return ScriptedModel(body: body)
    }
  }

  @Test func modelsLoadWhenFirstAskedForAndStay() async throws {
    let engine = engine()
    #expect(loads.all == [])
    #expect(try await engine.draw(request, model: nil, control: GenerationControl()).loadSeconds > 0)
    let again = try await engine.draw(request, model: "a", control: GenerationControl())
    #expect(again.loadSeconds == 0)
    #expect(again.model == "a")
    #expect(loads.all == ["/a"])
  }

  @Test func theLeastRecentlyUsedLeavesFirst() async throws {
    let engine = engine(capacity: 2)
    for name in ["a", "b", "a", "c", "a", "b"] { try await engine.load(name) }
    // c took b's place, for a had been used since; then b took c's.
    #expect(loads.all == ["/a", "/b", "/c", "/b"])
  }

  @Test func aModelThatCannotBeLoadedIsNamedAndTriedAgain() async throws {
    struct Torn: Error {}
    let attempts = Mutex(0)
    let engine = InferenceEngine(models: [("a", "/models/a")]) { _, _ in
      if attempts.withLock({
        $0 += 1; return $0 == 1
      }) {
        throw Torn()
      }
      return ScriptedModel()
    }
    let error = try await #require(throws: JobError.self) {
      try await engine.draw(request, model: nil, control: GenerationControl())
    }
    #expect(error.code == "model_unavailable" && !error.isPermanent)
    #expect(error.message.contains("/models/a"))
    // Whoever starts the worker gets the error itself.
    attempts.withLock { $0 = 0 }
    await #expect(throws: Torn.self) { try await engine.load() }
    try await engine.load()
  }

  @Test(arguments: [
    (DiffusionError.Code.invalidRequest, "invalid_request", true), (.notFinite, "not_finite", false),
    (.checkpoint, "model_unavailable", false),
  ])
  func thePipelinesErrorsBecomeTheRows(code: DiffusionError.Code, expected: String, isPermanent: Bool) async throws {
    let engine = engine { _ in throw DiffusionError(code, "what and why") }
    let error = try await #require(throws: JobError.self) {
      try await engine.draw(request, model: nil, control: GenerationControl())
    }
    #expect(error == JobError(code: expected, message: "what and why", isPermanent: isPermanent))
  }

  @Test func everythingRunsOnOneThreadOfItsOwn() async throws {
    let threads = Mutex<Set<UInt>>([])
    let engine = engine { _ in _ = threads.withLock { $0.insert(UInt(pthread_self())) } }
    for _ in 0..<20 {
      _ = try await engine.draw(request, model: nil, control: GenerationControl())
      await Task.yield()
    }
    #expect(threads.withLock { $0.count } == 1)
  }

  /// With every cooperative thread's worth of engines busy, an ordinary task still runs.
  @Test func aBusyEngineDoesNotHoldUpOtherTasks() async throws {
    let release = DispatchSemaphore(value: 0)
    let engines = (0..<8).map { _ in engine { _ in release.wait() } }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for engine in engines {
        group.addTask { _ = try await engine.draw(request, model: nil, control: GenerationControl()) }
      }
      // Were the engines on the pool, these would wait for ever.
      for _ in 0..<100 { await Task.yield() }
      for _ in engines { release.signal() }
      try await group.waitForAll()
    }
  }

  @Test func aSizeThatTheModelDecidesIsCheckedToo() async throws {
    let engine = engine()
    let control = GenerationControl()
    for (limit, width) in [(64 * 32 - 1, nil), (128 * 32 - 1, 128 as Int?)] {
      var request = request
      request.width = width
      let error = try await #require(throws: JobError.self) {
        try await engine.draw(request, model: nil, limits: ImageJobLimits(maximumPixels: limit), control: control)
      }
      #expect(error.code == "too_large_for_worker" && error.message.contains("\(width ?? 64) × 32"))
      _ = try await engine.draw(
        request, model: nil, limits: ImageJobLimits(maximumPixels: limit + 1), control: control)
    }
  }

  @Test func loadingEndsWhenItsTaskIsCancelled() async throws {
    let (begun, signal) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    // A checkpoint without end: only cancellation gets out of it.
    let engine = InferenceEngine(models: [("a", "/a")]) { _, progress in
      while true {
        signal.yield()
        try progress(0.5)
      }
    }
    for draws in [false, true] {
      let request = request
      let loading = Task {
        if draws {
          _ = try await engine.draw(request, model: nil, control: GenerationControl())
        } else {
          try await engine.load()
        }
      }
      for await _ in begun { break }
      loading.cancel()
      await #expect(throws: CancellationError.self) { try await loading.value }
    }
  }

  @Test func aRunThatIsCancelledBeforeItsTurnLoadsNothing() async throws {
    let engine = engine()
    await #expect(throws: CancellationError.self) {
      try await engine.draw(request, model: nil, control: GenerationControl(isCancelled: { true }))
    }
    #expect(loads.all == [])
  }
}
