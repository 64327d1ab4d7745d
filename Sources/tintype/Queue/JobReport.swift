import Foundation
import ImageJobs
import JobStore
import Jobs

/// All there is about one job, for people or programs.
struct JobReport: Encodable {
  struct Image: Encodable {
    let index: Int
    let path: String
    let sha256: String
    let bytes: Int
    let width: Int, height: Int
    let seed: Int64
  }
  let job: JobRecord
  let attempts: [AttemptRecord]
  let images: [Image]

  init(_ details: JobDetails) {
    job = details.job
    attempts = details.attempts
    images = details.images.map {
      Image(
        index: $0.index, path: $0.path, sha256: $0.sha256.hexadecimal, bytes: $0.bytes, width: $0.width,
        height: $0.height, seed: $0.seed)
    }
  }

  static func notFound(_ id: Int64) -> CommandError {
    CommandError(
      .notFound, "there is no job \(id) that you may see.", remedy: "`tintype jobs list` shows what there is.")
  }

  func print(json: Bool) throws {
    if json { return try JSONOutput.print(self) }
    var lines: [(String, String?)] = [
      ("job", "\(job.id)"), ("state", job.state.rawValue), ("waits for", job.waitingFor), ("prompt", job.prompt),
      ("negative prompt", job.negativePrompt), ("model", job.model ?? "(the worker's default)"), ("request", request),
      ("starts from", start), ("queue", "\(job.queue), priority \(job.priority)"),
      ("metadata", job.metadata == "{}" ? nil : job.metadata.text),
      ("submitted", "\(job.createdAt) by \(job.submittedBy)"),
      ("tenant", job.tenant), ("concurrency key", job.concurrencyKey), ("deadline", job.deadline),
      ("not before", job.state == .scheduled ? job.runAt : nil), ("started", job.startedAt),
      ("finished", job.finishedAt),
      ("progress", progress), ("error", job.error.map { "\($0) (\(job.errorCode ?? "?"))" }),
    ]
    lines += job.warnings.map { ("warning", $0) }
    let width = lines.filter { $0.1 != nil }.map(\.0.count).max() ?? 0
    for case let (name, value?) in lines {
      Swift.print("\(name.padding(toLength: width, withPad: " ", startingAt: 0))  \(PlainText.escapingControls(value))")
    }
    if !attempts.isEmpty { Swift.print("\n" + attemptTable, terminator: "") }
    if !images.isEmpty { Swift.print("\n" + imageTable, terminator: "") }
  }

  private var request: String {
    let size = "\(job.width.map(String.init) ?? "own") × \(job.height.map(String.init) ?? "own")"
    var text = "\(size), \(job.steps) step\(job.steps == 1 ? "" : "s"), seed \(job.seed)"
    if job.imageCount > 1 { text += ", \(job.imageCount) pictures" }
    if job.guidanceScale > 1 { text += ", guidance \(job.guidanceScale)" }
    if let strength = job.strength { text += ", strength \(strength)" }
    return text
  }

  private var start: String? {
    job.initImage ?? job.initJob.map { "job \($0)" } ?? job.initImageBytes.map { "a picture of \($0) bytes" }
  }

  private var progress: String? {
    guard job.state == .running, let fraction = job.progress else { return nil }
    return "\(Int(fraction * 100)) %, \(job.phase ?? "starting")"
  }

  private var attemptTable: String {
    var table = TextTable([
      .init(heading: "ATTEMPT", alignsRight: true), .init(heading: "NUMBER", alignsRight: true),
      .init(heading: "WORKER", alignsRight: true), .init(heading: "STARTED"), .init(heading: "OUTCOME"),
      .init(heading: "ERROR"),
    ])
    for attempt in attempts {
      table.append([
        "\(attempt.id)", "\(attempt.number)", "\(attempt.workerID)", attempt.startedAt, attempt.outcome ?? "running",
        attempt.error,
      ])
    }
    return table.rendered()
  }

  private var imageTable: String {
    var table = TextTable([
      .init(heading: "PICTURE", alignsRight: true), .init(heading: "PATH"), .init(heading: "SIZE"),
      .init(heading: "SEED", alignsRight: true), .init(heading: "SHA-256"),
    ])
    for image in images {
      table.append([
        "\(image.index)", image.path, "\(image.width)×\(image.height)", "\(image.seed)",
        String(image.sha256.prefix(16)) + "…",
      ])
    }
    return table.rendered()
  }
}
