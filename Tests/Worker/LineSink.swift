import Synchronization
import Testing
import Worker

/// Keeps what was logged, and lets a test wait for a line.
final class LineSink: Sendable {
  private struct State {
    var lines: [String] = []
    var waiters: [(text: String, gate: Gate)] = []
  }
  private let state = Mutex(State())

  var lines: [String] { state.withLock { $0.lines } }

  @Sendable func append(_ line: String) {
    state.withLock { state in
      state.lines.append(line)
      for waiter in state.waiters where line.contains(waiter.text) { waiter.gate.open() }
    }
  }

  /// Waits until a line with this text is there, or was.
  func wait(for text: String) async throws {
    let gate = Gate()
    state.withLock { state in
      state.waiters.append((text, gate))
      if state.lines.contains(where: { $0.contains(text) }) { gate.open() }
    }
    await gate.wait(atMost: .seconds(60))
    try #require(gate.isOpen, "no line said “\(text)”; the log: \(lines.joined())")
  }
}
