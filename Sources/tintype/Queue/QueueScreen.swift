import Foundation
import Glibc
import JobStore
import Jobs

/// What `jobs watch` shows at one moment.
struct QueueSnapshot: Encodable {
  let queues: [QueueStatus]
  let workers: [WorkerStatus]
  let running: [JobRecord]
  let last: [JobRecord]

  static func take(_ store: JobStore, queue: String?, limit: Int) async throws -> QueueSnapshot {
    let queues = try await store.queueStatus()
    let workers = try await store.workerStatus()
    let running = try await store.list(JobFilter(states: [.running], queue: queue, limit: limit))
    let last = try await store.list(JobFilter(states: nil, queue: queue, limit: limit))
    return QueueSnapshot(
      queues: queues.filter { queue == nil || $0.queue == queue }, workers: workers, running: running,
      last: last.filter { $0.state != .running })
  }
}

/// A snapshot as lines of a terminal, no wider and no higher than it.
struct QueueScreen {
  let width: Int, height: Int
  let usesColour: Bool

  /// Standard output's size; 80 by 24 where it is no terminal.
  static func current(environment: [String: String] = ProcessInfo.processInfo.environment) -> QueueScreen {
    var size = winsize()
    let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return QueueScreen(
      width: isKnown ? Int(size.ws_col) : 80, height: isKnown ? Int(size.ws_row) : 24,
      usesColour: isatty(STDOUT_FILENO) == 1 && (environment["NO_COLOR"] ?? "").isEmpty
        && environment["TERM"] != "dumb")
  }

  func lines(_ snapshot: QueueSnapshot, time: String) -> [String] {
    let alive = snapshot.workers.filter { $0.state == "running" || $0.state == "draining" }
    let ready = snapshot.queues.reduce(0) { $0 + $1.ready }
    let oldest = snapshot.queues.compactMap(\.oldestReady).max()
    let wait = oldest.map { ", the first for \(Self.length($0))" } ?? ""
    var lines = [
      line(
        "tintype  \(time)   \(ready) wait\(wait)   \(snapshot.running.count) run   \(alive.count) worker\(alive.count == 1 ? "" : "s")",
        .bold),
      "",
    ]
    for queue in snapshot.queues {
      let paused =
        queue.isPaused ? "  paused by \(queue.pausedBy ?? "?")" : queue.workers == 0 ? "  nobody serves it" : ""
      lines.append(
        line(
          "\(Self.padded(queue.queue, 16)) \(queue.ready) ready  \(queue.scheduled) scheduled  \(queue.blocked) blocked  "
            + "\(queue.running) running\(paused)",
          paused.isEmpty || queue.ready == 0 && !queue.isPaused ? .plain : .yellow))
    }
    lines.append("")
    for job in snapshot.running {
      let fraction = min(max(job.progress ?? 0, 0), 1)
      let filled = Int(fraction * 20)
      let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: 20 - filled)
      lines.append(line(entry(job, bar + " " + Self.padded(job.phase ?? "starting", 12)), .plain))
    }
    if !snapshot.running.isEmpty { lines.append("") }
    for job in snapshot.last {
      lines.append(line(entry(job, Self.padded(job.state.rawValue, 33)), Colour(job.state)))
    }
    return Array(lines.prefix(max(height - 1, 4)))
  }

  private func entry(_ job: JobRecord, _ state: String) -> String {
    let why =
      if job.state == .failed {
        "\(job.errorCode ?? ""): \(job.error ?? "")"
      } else if let reason = job.waitingFor {
        "waits for \(reason): \(job.prompt)"
      } else {
        job.prompt
      }
    return "\(Self.padded("\(job.id)", 8)) \(state) \(PlainText.escapingControls(why))"
  }

  private func line(_ text: String, _ colour: Colour) -> String {
    let cut = PlainText.shortened(text, to: width)
    return usesColour && colour != .plain ? "\u{1B}[\(colour.rawValue)m\(cut)\u{1B}[0m" : cut
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func length(_ seconds: Double) -> String {
    seconds < 120 ? "\(Int(seconds)) s" : seconds < 7200 ? "\(Int(seconds / 60)) min" : "\(Int(seconds / 3600)) h"
  }

  private enum Colour: String {
    case plain, bold = "1", red = "31", green = "32", yellow = "33", faint = "2"

    init(_ state: JobState) {
      self =
        switch state {
        case .failed: .red
        case .succeeded: .green
        case .cancelled: .faint
        case .ready, .scheduled, .blocked: .yellow
        case .running: .plain
        }
    }
  }
}
