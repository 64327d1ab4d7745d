import Diffusion
import Foundation
import Glibc
import ImageJobs
import Images
import Jobs
import Synchronization
import Testing

/// A model that paints the seed, so that a picture says which request it came from.
private struct Painter: ImageGenerator {
  let facts = ModelFacts(weightsHash: "00ff", sampler: "Euler a")
  let defaultSize = (width: 16, height: 16)
  /// Called between its two blocks.
  var betweenBlocks: @Sendable () -> Void = {}
  var warnings: [String] = []

  func generate(
    _ members: [BatchMember], picturesAtOnce: Int,
    finished: @escaping (Int, Result<GenerationResult, any Error>) -> Void
  ) {
    for (index, member) in members.enumerated() {
      finished(index, Result { try paint(member.request, control: member.control) })
    }
  }

  private func paint(_ request: GenerationRequest, control: GenerationControl) throws -> GenerationResult {
    let (width, height) = (request.width ?? 16, request.height ?? 16)
    for block in 0..<2 {
      if control.isCancelled() { throw CancellationError() }
      control.progress(
        GenerationProgress(phase: .denoise, step: 1, stepCount: 1, fraction: Double(block) / 2))
      if block == 0 { betweenBlocks() }
    }
    if control.isCancelled() { throw CancellationError() }
    let images = (0..<request.imageCount).map { index in
      let seed = request.seed + Int64(index)
      let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: seed), count: 3 * width * height)
      return GenerationResult.Image(pixels: RGBPixels(width: width, height: height, bytes: bytes), seed: seed)
    }
    return GenerationResult(images: images, warnings: warnings, timings: ["unet": 0.5])
  }
}

private final class Reports: JobProgressReporter {
  let all = Mutex<[(phase: String, fraction: Double)]>([])
  func report(phase: String, step: Int, fraction: Double) { all.withLock { $0.append((phase, fraction)) } }
}

@Suite struct ImageJobHandlerTests {
  private let input: TemporaryFolder, output: TemporaryFolder
  private let reports = Reports()

  init() throws {
    input = try TemporaryFolder()
    output = try TemporaryFolder()
  }

  private func handler(
    _ painter: Painter = Painter(), limits: ImageJobLimits = ImageJobLimits()
  ) throws -> ImageJobHandler {
    ImageJobHandler(
      engine: InferenceEngine(models: [("painter", "/models/painter")]) { _, _ in painter },
      store: try ArtifactStore(root: output.path, workerName: "w1"),
      source: InitImageSource(inputRoot: input.path, outputRoot: output.path), limits: limits, softwareVersion: "1.0")
  }

  @Test func aRowBecomesPicturesWithTheirFacts() async throws {
    let job = Job(id: 3, attemptID: 9, prompt: "a boat", width: 24, height: 16, seed: 40, imageCount: 2)
    let result = try await handler(Painter(warnings: ["the prompt was cut"]))(job, reports)
    #expect(result.images.map(\.path) == ["0/3/9-0.png", "0/3/9-1.png"])
    #expect(result.images.map(\.seed) == [40, 41])
    #expect(result.warnings == ["the prompt was cut"])
    #expect(result.timings["unet"] == 0.5)
    #expect(output.files == result.images.map(\.path))
    for image in result.images {
      let file = try output.bytes(image.path)
      #expect(image.sha256 == SHA256.hash(file))
      #expect(image.bytes == file.count)
      let picture = try ImageDecoder.decode(file)
      #expect(picture.width == 24 && picture.height == 16 && image.width == 24 && image.height == 16)
      #expect(picture.bytes.allSatisfy { $0 == UInt8(image.seed) })
      let parameters = try #require(try PNG.text(of: file).first { $0.keyword == "parameters" })
      #expect(parameters.text.contains("Seed: \(image.seed),"))
    }
    let fractions = reports.all.withLock { $0.map(\.fraction) }
    #expect(fractions == fractions.sorted())
    #expect(reports.all.withLock { $0.map(\.phase) }.last == "write")
  }

  @Test func imageToImageStartsFromThePictureInItsOwnSize() async throws {
    let png = try PNG.encode(RGBImage(width: 33, height: 17, bytes: Array(repeating: 9, count: 3 * 33 * 17)))
    try input.write("a.png", png)
    let job = Job(id: 1, attemptID: 2, prompt: "x", steps: 2, strength: 0.5, seed: 1, initImage: .inputPath("a.png"))
    let result = try await handler()(job, reports)
    #expect(result.images.first?.width == 32)
    #expect(result.images.first?.height == 16)
    let file = try output.bytes(result.images[0].path)
    let json = try #require(try PNG.text(of: file).first { $0.keyword == "tintype" })
    #expect(json.text.contains(SHA256.hash(png).map { String(format: "%02x", $0) }.joined()))
  }

  /// Illegal jobs, the column that the error must name.
  static let illegal: [(job: Job, column: String)] = [
    (Job(id: 1, attemptID: 1, prompt: "x", width: 12, height: 16, seed: 1), "width"),
    (Job(id: 1, attemptID: 1, prompt: "x", steps: 0, seed: 1), "steps"),
    (Job(id: 1, attemptID: 1, prompt: "x", steps: 51, seed: 1), "steps"),
    (Job(id: 1, attemptID: 1, prompt: "x", guidanceScale: .nan, seed: 1), "guidance_scale"),
    (Job(id: 1, attemptID: 1, prompt: "x", seed: .max, imageCount: 2), "seed"),
    (Job(id: 1, attemptID: 1, prompt: "x", steps: 1, strength: 0.5, seed: 1, initImage: .data([1])), "strength"),
  ]

  @Test(arguments: illegal) func anIllegalRowIsAPermanentErrorThatNamesTheColumn(
    row: (job: Job, column: String)
  ) async throws {
    let handler = try handler()
    let error = try await #require(throws: JobError.self) { try await handler(row.job, reports) }
    #expect(error.code == "invalid_request")
    #expect(error.isPermanent)
    #expect(error.message.hasPrefix(row.column))
    #expect(output.files.isEmpty)
  }

  @Test func aPictureTooLargeForThisWorkerMayGoToAnother() async throws {
    let handler = try handler(limits: ImageJobLimits(maximumPixels: 64))
    let job = Job(id: 1, attemptID: 1, prompt: "x", width: 16, height: 16, seed: 1)
    let error = try await #require(throws: JobError.self) { try await handler(job, reports) }
    #expect(error.code == "too_large_for_worker")
    #expect(!error.isPermanent)
  }

  @Test func anUnknownModelIsNamed() async throws {
    let handler = try handler()
    let job = Job(id: 1, attemptID: 1, model: "other", prompt: "x", seed: 1)
    let error = try await #require(throws: JobError.self) { try await handler(job, reports) }
    #expect(error.code == "model_unavailable")
    #expect(error.message.contains("painter"))
  }

  @Test func aCancelledJobStopsAtTheNextBlockAndLeavesNothing() async throws {
    let (running, started) = AsyncStream<Void>.makeStream()
    let cancelled = DispatchSemaphore(value: 0)
    let handler = try handler(
      Painter(betweenBlocks: {
        started.yield()
        cancelled.wait()
      }))
    let job = Job(id: 1, attemptID: 1, prompt: "x", seed: 1)
    let task = Task { [reports] in try await handler(job, reports) }
    for await _ in running { break }
    task.cancel()
    cancelled.signal()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(output.files.isEmpty)
  }

  @Test func discardRemovesWhatALostLeaseLeft() async throws {
    let handler = try handler()
    let result = try await handler(Job(id: 1, attemptID: 1, prompt: "x", seed: 1), reports)
    #expect(!output.files.isEmpty)
    try await handler.discard(result)
    #expect(output.files.isEmpty)
  }

  @Test func aDiskThatFillsUpHalfwayLeavesNoneOfTheJobsPictures() async throws {
    let count = Mutex(0)
    var calls = SystemCalls.kernel
    calls.rename = { from, name, to, newName in
      let isSecond = count.withLock { count in
        count += 1
        return count == 2
      }
      if isSecond { throw SystemCallError(call: "rename", subject: newName, errno: ENOSPC) }
      try SystemCalls.kernel.rename(from, name, to, newName)
    }
    let handler = ImageJobHandler(
      engine: InferenceEngine(models: [("painter", "/models/painter")]) { _, _ in Painter() },
      store: try ArtifactStore(root: output.path, workerName: "w1", calls: calls),
      source: InitImageSource(inputRoot: nil, outputRoot: output.path), softwareVersion: "1.0")
    let error = try await #require(throws: JobError.self) {
      try await handler(Job(id: 1, attemptID: 1, prompt: "x", seed: 1, imageCount: 3), reports)
    }
    #expect(error.code == "out_of_disk")
    #expect(output.files.isEmpty)
  }

  @Test func equalInputGivesEqualBytesOnEveryAttempt() async throws {
    let handler = try handler()
    let first = try await handler(Job(id: 1, attemptID: 1, prompt: "x", seed: 1), reports)
    let second = try await handler(Job(id: 1, attemptID: 2, prompt: "x", seed: 1), reports)
    #expect(first.images[0].sha256 == second.images[0].sha256)
    #expect(first.images[0].path != second.images[0].path)
  }
}
