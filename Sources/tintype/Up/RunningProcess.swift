import Foundation

/// A process that may be looked for later: ids are used again, but not together with the moment of the start.
struct RunningProcess: Equatable {
  let identifier: Int32
  /// Clock ticks from the boot of the machine to its start.
  private let start: UInt64

  /// Nil when there is no such process.
  init?(identifier: Int32) {
    guard let status = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8) else { return nil }
    // The second field is the program's name in parentheses, which may hold anything; the start is the twenty-second. A
    // process that has ended and whose parent has not looked yet runs no more.
    let fields = status.suffix(from: status.lastIndex(of: ")") ?? status.startIndex).split(separator: " ")
    guard fields.count > 20, fields[1] != "Z", let start = UInt64(fields[20]) else { return nil }
    self.identifier = identifier
    self.start = start
  }

  /// What `description` wrote, if that very process still runs.
  init?(_ description: String) {
    let words = description.split(whereSeparator: \.isWhitespace)
    guard words.count == 2, let identifier = Int32(words[0]), let running = RunningProcess(identifier: identifier),
      running.description == words.joined(separator: " ")
    else { return nil }
    self = running
  }

  /// For a file.
  var description: String { "\(identifier) \(start)" }
}
