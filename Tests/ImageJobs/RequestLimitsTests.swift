import Diffusion
import ImageJobs
import Jobs
import Testing

/// The legal values of a request stand in three places that may not see each other: the table's trigger, `RequestLimits` and
/// `GenerationLimits`. The tests of JobStore hold the first two together, these the last two: what the table takes no worker
/// refuses, and the command that needs no database takes nothing else.
@Suite struct RequestLimitsTests {
  @Test func thePipelinesNumbersAreTheTables() {
    #expect(GenerationLimits.size == RequestLimits.side)
    #expect(GenerationLimits.sizeMultiple == RequestLimits.sideMultiple)
    #expect(GenerationLimits.steps == RequestLimits.steps)
    #expect(GenerationLimits.guidanceScale == RequestLimits.guidanceScale)
    #expect(GenerationLimits.strength == RequestLimits.strength)
    #expect(GenerationLimits.imageCount == RequestLimits.imageCount)
  }

  /// On both sides of every edge.
  private static var requests: [JobRequest] {
    var all: [JobRequest] = []
    func add(_ change: (inout JobRequest) -> Void) {
      var request = JobRequest(prompt: "x")
      change(&request)
      all.append(request)
    }
    for side in [-8, 0, 7, 8, 9, 16, 4096, 4097, 4104] {
      add { $0.width = side }
      add { $0.height = side }
    }
    for number in [-1, 0, 1, 50, 51, 64, 65] {
      add { $0.steps = number }
      add { $0.imageCount = number }
    }
    for scale in [-0.1, 0, 1, 7.5, 50, 50.1, .nan, .infinity] { add { $0.guidanceScale = scale } }
    for strength in [-0.1, 0, 0.01, 0.5, 1, 1.1, .nan] {
      for steps in [1, 2, 50] { add { ($0.strength, $0.steps, $0.initImage) = (strength, steps, "a.png") } }
    }
    for steps in 1...50 {
      let edge = 1 / Double(steps)
      for strength in [edge.nextDown, edge] {
        add { ($0.strength, $0.steps, $0.initImage) = (strength, steps, "a.png") }
      }
    }
    for seed in [Int64.min, .max - 1, .max] { add { ($0.seed, $0.imageCount) = (seed, 2) } }
    return all
  }

  @Test func theWorkerRefusesWhatTheTableRefusesAndNothingElse() throws {
    // The machine's own bounds are another matter.
    let limits = ImageJobLimits(maximumPixels: .max)
    for request in Self.requests {
      let job = Job(
        id: 1, attemptID: 1, prompt: request.prompt, width: request.width, height: request.height,
        steps: request.steps ?? 1, guidanceScale: request.guidanceScale ?? 0, strength: request.strength ?? 1,
        seed: request.seed ?? 0, imageCount: request.imageCount ?? 1,
        initImage: request.initImage.map { .inputPath($0) })
      let refusal = try Self.refusal(of: job, limits)
      #expect((refusal == nil) == (request.problem == nil), "\(request): \(refusal ?? "accepted by the worker alone")")
    }
  }

  private static func refusal(of job: Job, _ limits: ImageJobLimits) throws -> String? {
    do { try ImageRequest.validate(job, limits: limits) } catch let error as JobError { return error.message }
    return nil
  }
}
