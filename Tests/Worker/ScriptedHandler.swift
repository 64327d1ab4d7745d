import Jobs
import Synchronization
import Worker

/// A handler that does what a test says and keeps what happened.
final class ScriptedHandler: Sendable {
  typealias Script = @Sendable (Job, any JobProgressReporter) async throws -> JobResult

  private struct Record {
    var running: [Int64: Int] = [:]
    var starts: [Int64] = []
    var overlaps: [Int64] = []
    var ended = 0
    var discarded: [String] = []
  }

  private let script: Script
  /// What happens before the first claim.
  let prepare: WorkerService.Preparation
  private let record = Mutex(Record())
  /// Every start, in order.
  let starts: AsyncStream<Job>
  private let started: AsyncStream<Job>.Continuation

  init(
    _ script: @escaping Script = { job, _ in .pictures(of: job) },
    prepare: @escaping WorkerService.Preparation = { _ in }
  ) {
    self.prepare = prepare
    self.script = script
    (starts, started) = AsyncStream.makeStream()
  }

  /// Starts its jobs and ends them once `gate` is open, or when they are stopped.
  static func held(by gate: Gate) -> ScriptedHandler {
    ScriptedHandler { job, _ in
      try await gate.pass()
      return .pictures(of: job)
    }
  }

  var startedJobs: [Int64] { record.withLock { $0.starts } }
  /// Jobs that ran twice at once.
  var overlaps: [Int64] { record.withLock { $0.overlaps } }
  var endedCount: Int { record.withLock { $0.ended } }
  /// Paths of pictures that were to be removed.
  var discarded: [String] { record.withLock { $0.discarded } }

  @Sendable func handle(_ job: Job, _ reporter: any JobProgressReporter) async throws -> JobResult {
    record.withLock { record in
      record.running[job.id, default: 0] += 1
      if record.running[job.id] != 1 { record.overlaps.append(job.id) }
      record.starts.append(job.id)
    }
    started.yield(job)
    defer {
      record.withLock { record in
        record.running[job.id, default: 0] -= 1
        record.ended += 1
      }
    }
    return try await script(job, reporter)
  }

  @Sendable func discard(_ job: Job, _ result: JobResult) async throws {
    record.withLock { $0.discarded += result.images.map(\.path) }
  }
}

extension JobResult {
  /// A plausible result; nothing is on disk.
  static func pictures(of job: Job) -> JobResult {
    JobResult(
      images: (0..<job.imageCount).map { index in
        JobImage(
          index: index, path: "0/\(job.id)/\(job.attemptID)-\(index).png", sha256: Array(repeating: 7, count: 32),
          bytes: 9, width: 512, height: 512, seed: job.seed + Int64(index))
      }, warnings: ["the prompt was cut"], timings: ["unet": 0.5])
  }
}

extension AsyncStream where Element: Sendable {
  /// The next element; nil when the stream has ended.
  func next() async -> Element? {
    for await element in self { return element }
    return nil
  }
}

extension Gate {
  /// As a network's block would: waits, and stops when the task is cancelled.
  func pass() async throws {
    await wait()
    try Task.checkCancellation()
  }

  /// As a hung kernel would: waits, deaf to cancellation.
  func passDeaf() async { await Task { await wait() }.value }
}
