import Diffusion
import Synchronization
import Tensors
import Testing

/// Progress and cancellation at the blocks of the networks.
@Suite struct PipelineProgressTests {
  private static let request = GenerationRequest(
    prompt: "a blue lake", width: 72, height: 40, steps: 2, guidanceScale: 2, seed: 3, imageCount: 2,
    initialImage: RGBPixels(width: 72, height: 40, bytes: [UInt8](repeating: 60, count: 3 * 72 * 40)))

  private func progress(_ model: GoldenModel, _ request: GenerationRequest) throws -> [GenerationProgress] {
    let seen = Mutex<[GenerationProgress]>([])
    let control = GenerationControl(progress: { progress in seen.withLock { $0.append(progress) } })
    _ = try model.pipeline(.cpu).generate(request, control: control)
    return seen.withLock { $0 }
  }

  @Test(arguments: GoldenModel.all, [false, true])
  func theFractionGrowsToOne(_ model: GoldenModel, _ isGuided: Bool) throws {
    var request = Self.request
    request.guidanceScale = isGuided ? 2 : 0
    let seen = try progress(model, request)
    #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.fraction <= $1.fraction })
    #expect(seen.first?.fraction == 0)
    // The whole, worked out ahead from the configurations, equals the sum of what the blocks report, but for the
    // rounding of a few hundred additions.
    #expect(abs((seen.last?.fraction ?? 0) - 1) < 1e-9)
    // No single report jumps far: a one-step run too has a bar that moves.
    let jumps = zip(seen, seen.dropFirst()).map { $1.fraction - $0.fraction }
    #expect(jumps.max() ?? 1 < 0.15)
  }

  @Test func phasesAndStepsComeInOrder() throws {
    let seen = try progress(GoldenModel(name: "sdxl"), Self.request)
    let phases = seen.map(\.phase).reduce(into: [GenerationProgress.Phase]()) { list, phase in
      if list.last != phase { list.append(phase) }
    }
    // Both pictures are one batch.
    #expect(phases == [.encodeText, .encodeImage, .denoise, .decode])
    #expect(seen.map(\.step).max() == 4)
    #expect(seen.allSatisfy { $0.stepCount == 4 })
    #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.step <= $1.step })
  }

  /// A run stops at the first poll that says so, wherever that is.
  @Test func aRunStopsAtAnyBlock() throws {
    let pipeline = try GoldenModel(name: "sd").pipeline(.cpu)
    let polls = try progress(GoldenModel(name: "sd"), Self.request).count
    #expect(polls > 100)
    for limit in stride(from: 1, to: polls, by: 37) {
      let count = Mutex(0)
      let control = GenerationControl(isCancelled: {
        count.withLock { count in
          count += 1
          return count >= limit
        }
      })
      #expect(throws: CancellationError.self) { try pipeline.generate(Self.request, control: control) }
      #expect(count.withLock { $0 } == limit)
    }
  }
}
