import ArgumentParser
import JobStore

struct QueuesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queues", abstract: "List, pause and resume queues.",
    subcommands: [List.self, Pause.self, Resume.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say of each queue how much waits, for how long, and who serves it.",
      discussion: """
        Example:
          tintype queues list
        """)

    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
      let queues = try await database.withQueue(role: "queues") { try await $0.queueStatus() }
      if json { return try JSONOutput.print(queues) }
      let numbers = ["READY", "SCHEDULED", "BLOCKED", "RUNNING", "WORKERS", "OLDEST (S)"]
      var table = TextTable(
        [.init(heading: "QUEUE")] + numbers.map { .init(heading: $0, alignsRight: true) } + [.init(heading: "PAUSED")])
      for queue in queues {
        table.append([
          queue.queue, "\(queue.ready)", "\(queue.scheduled)", "\(queue.blocked)", "\(queue.running)",
          "\(queue.workers)",
          queue.oldestReady.map { "\(Int($0))" },
          queue.isPaused ? "by \(queue.pausedBy ?? "?")" + (queue.pauseReason.map { ": \($0)" } ?? "") : nil,
        ])
      }
      print(table.rendered(), terminator: "")
    }
  }

  struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take nothing more from a queue until it is resumed. What runs, runs on.",
      discussion: """
        Example:
          tintype queues pause default --reason "disk being replaced"
        """)

    @Argument(help: "The queue.") var queue: String
    @Option(help: ArgumentHelp("Why, for whoever wonders.", valueName: "text")) var reason: String?
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
      try await database.withQueue(role: "queues") { try await $0.pause(queue: queue, reason: reason) }
      try json ? JSONOutput.print(Answer(queue: queue, isPaused: true)) : print("queue \(queue): paused")
    }
  }

  struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Open a paused queue.",
      discussion: """
        Example:
          tintype queues resume default
        """)

    @Argument(help: "The queue.") var queue: String
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
      try await database.withQueue(role: "queues") { try await $0.resume(queue: queue) }
      try json ? JSONOutput.print(Answer(queue: queue, isPaused: false)) : print("queue \(queue): open")
    }
  }

  /// What a queue is after it was paused or resumed.
  private struct Answer: Encodable {
    let queue: String
    let isPaused: Bool
  }
}
