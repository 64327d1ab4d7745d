import Foundation
import Glibc

/// Text for people, beside a command's output.
enum StandardError {
  /// Whether a line can be rewritten in place: not in a file, and not on a terminal that says it cannot.
  static let isTerminal = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// One write, so that lines of several threads do not mix. A closed standard error is not worth dying for.
  static func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// `tintype: …`, one line.
  static func note(_ text: String) { write("tintype: \(text)\n") }
}
