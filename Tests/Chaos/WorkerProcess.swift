import Foundation
import Synchronization
import TestSupport

/// A real `tintype worker`, and what it says, line by line with the moment of its arrival: the worker's own clock may be
/// one of the things that are wrong.
final class WorkerProcess: Sendable {
  struct Line: Sendable {
    let at: ContinuousClock.Instant
    /// The fields of a JSON log line.
    let fields: [String: String]
    var message: String { fields["message"] ?? "" }
  }

  /// A time in which the process was stopped, so that it can not have worked.
  struct Freeze: Sendable {
    let from: ContinuousClock.Instant
    var to: ContinuousClock.Instant
  }

  struct State: Sendable {
    var lines: [Line] = []
    /// What is not a log line: a crash report, say.
    var garbage: [String] = []
    var freezes: [Freeze] = []
    /// Signals that were sent, or that it was made to send itself.
    var signals: [(signal: Int32, at: ContinuousClock.Instant)] = []
    var status: Int32?
  }

  let name: String
  private let process: Process
  private let end: Task<Int32, Never>
  private let state = Mutex(State())

  init(name: String, arguments: [String], environment: [String: String]) throws {
    self.name = name
    let (process, end) = Tool.process(arguments, environment: environment)
    self.process = process
    self.end = end
    process.standardOutput = FileHandle.nullDevice
    let log = try ProcessLaunch.exclusively {
      let pipe = Pipe()
      process.standardError = pipe
      try process.run()
      try? pipe.fileHandleForWriting.close()
      return pipe.fileHandleForReading
    }
    Thread.detachNewThread { [self] in read(log) }
  }

  var processIdentifier: Int32 { process.processIdentifier }
  var isRunning: Bool { process.isRunning }
  var now: State { state.withLock { $0 } }

  /// Waits for the process to end.
  func exitStatus() async -> Int32 {
    let status = await end.value
    state.withLock { $0.status = status }
    return status
  }

  func send(_ signal: Int32) {
    note(signal)
    kill(process.processIdentifier, signal)
  }

  /// It may have been sent this signal, or have sent it to itself.
  func note(_ signal: Int32) { state.withLock { $0.signals.append((signal, .now)) } }

  func wasSent(_ signals: Int32...) -> Bool { now.signals.contains { signals.contains($0.signal) } }

  /// Whether it stands still: stopped by a signal.
  var isStopped: Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(processIdentifier)/stat", encoding: .utf8) else {
      return false
    }
    // The name, in parentheses, may hold anything.
    return status.split(separator: ")").last?.split(separator: " ").first == "T"
  }

  /// Lets a stopped process go on, and notes since when it stood still.
  func thaw(since: ContinuousClock.Instant) {
    state.withLock { $0.freezes.append(Freeze(from: since, to: .now)) }
    kill(process.processIdentifier, SIGCONT)
  }

  private func read(_ log: FileHandle) {
    var rest = Data()
    while case let chunk = log.availableData, !chunk.isEmpty {
      let now = ContinuousClock.now
      rest += chunk
      while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        let line = rest[rest.startIndex..<end]
        rest = Data(rest[(end + 1)...])
        let fields = try? JSONDecoder().decode([String: String].self, from: Data(line))
        state.withLock { state in
          if let fields {
            state.lines.append(Line(at: now, fields: fields))
          } else {
            state.garbage.append(String(decoding: line, as: UTF8.self))
          }
        }
      }
    }
  }
}
