/// What must be true of the processes, by what they said and how they ended.
struct ProcessBooks {
  private struct Work {
    let job: String, attempt: String
    let worker: String
    var pieces: [Range<ContinuousClock.Instant>]
    var wasFrozen: Bool
  }

  /// How long a process that was stopped past its lease may go on before it notices: to the end of a block of the network.
  static let reaction = Duration.seconds(1)

  private(set) var violations: [String] = []
  /// The longest time that a stopped process went on with a job that another one had taken over meanwhile.
  private(set) var longestReaction = Duration.zero

  init(_ workers: [WorkerProcess], ended now: ContinuousClock.Instant = .now) {
    var works: [String: [Work]] = [:]
    for worker in workers {
      checkEnd(worker)
      for work in Self.works(of: worker, now) { works[work.job, default: []].append(work) }
    }
    for works in works.values {
      for (index, first) in works.enumerated() {
        for second in works[(index + 1)...] where second.attempt != first.attempt { compare(first, second) }
      }
    }
    for (job, attempts) in works {
      for (attempt, runs) in Dictionary(grouping: attempts, by: \.attempt) where runs.count > 1 {
        violations.append("attempt \(attempt) of job \(job) was run \(runs.count) times")
      }
    }
  }

  private mutating func compare(_ first: Work, _ second: Work) {
    for one in first.pieces {
      for other in second.pieces where one.overlaps(other) {
        let shared = one.clamped(to: other)
        let length = shared.upperBound - shared.lowerBound
        if first.wasFrozen || second.wasFrozen {
          longestReaction = max(longestReaction, length)
          if length <= Self.reaction { continue }
        }
        violations.append(
          "job \(first.job) was run by \(first.worker) (attempt \(first.attempt)) and \(second.worker) "
            + "(attempt \(second.attempt)) at once, for \(length)")
      }
    }
  }

  private mutating func checkEnd(_ worker: WorkerProcess) {
    let state = worker.now
    let wasTold = worker.wasSent(15)
    let isAsExpected =
      switch state.status {
      case 0: wasTold
      case 128 + 9: worker.wasSent(9)
      // Told to stop before it could listen.
      case 128 + 15: wasTold && !state.lines.contains { $0.message == "registered" }
      default: false
      }
    guard !isAsExpected else { return }
    let last = state.lines.suffix(5).map { "\($0.fields)" } + state.garbage.suffix(20)
    violations.append(
      "\(worker.name) ended with \(state.status.map(String.init) ?? "nothing"):\n    "
        + last.joined(separator: "\n    "))
  }

  /// When it worked on what, less the times when it was stopped.
  private static func works(of worker: WorkerProcess, _ now: ContinuousClock.Instant) -> [Work] {
    let state = worker.now
    var open: [String: (job: String, from: ContinuousClock.Instant)] = [:]
    var works: [Work] = []
    func end(_ attempt: String, at end: ContinuousClock.Instant) {
      guard let (job, from) = open.removeValue(forKey: attempt), from < end else { return }
      var pieces = [from..<end]
      for freeze in state.freezes where freeze.from < freeze.to {
        pieces = pieces.flatMap { piece -> [Range<ContinuousClock.Instant>] in
          [
            piece.clamped(to: piece.lowerBound..<max(piece.lowerBound, min(freeze.from, piece.upperBound))),
            piece.clamped(to: min(max(freeze.to, piece.lowerBound), piece.upperBound)..<piece.upperBound),
          ]
          .filter { !$0.isEmpty }
        }
      }
      works.append(
        Work(
          job: job, attempt: attempt, worker: worker.name, pieces: pieces,
          wasFrozen: state.freezes.contains { $0.from < end && from < $0.to }))
    }
    for line in state.lines {
      guard let attempt = line.fields["attempt"], let job = line.fields["job"] else { continue }
      switch line.message {
      case "attempt begins": open[attempt] = (job, line.at)
      case "attempt's work has ended": end(attempt, at: line.at)
      default: break
      }
    }
    // It ended in the middle: its last line is the least that is known.
    for attempt in open.keys.sorted() { end(attempt, at: state.lines.last?.at ?? now) }
    return works
  }
}
