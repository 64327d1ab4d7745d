import Foundation
import Synchronization

/// One line on standard error that is rewritten in place; silent when standard error is not a terminal.
final class ProgressBar: Sendable {
  private let width = 28
  private let lastDraw = Mutex<ContinuousClock.Instant?>(nil)

  /// - Parameters:
  ///   - label: what is being done: `denoise 2/4`.
  ///   - fraction: share of the whole, 0…1.
  func update(_ label: String, fraction: Double) {
    guard StandardError.isTerminal else { return }
    let now = ContinuousClock.now
    let due = lastDraw.withLock { last in
      // Ten times a second is as fast as anyone reads; the network reports far more often.
      if let drawn = last, now - drawn < .milliseconds(100), fraction < 1 { return false }
      last = now
      return true
    }
    guard due else { return }
    let filled = Int((min(max(fraction, 0), 1) * Double(width)).rounded(.down))
    let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled)
    let percent = String(Int(fraction * 100))
    StandardError.write(
      "\r\u{1B}[K\(bar) \(String(repeating: " ", count: max(0, 3 - percent.count)))\(percent) %  \(label)")
  }

  /// Takes the line away again.
  func finish() {
    let drawn = lastDraw.withLock { $0 != nil }
    if drawn { StandardError.write("\r\u{1B}[K") }
  }
}
