import ArgumentParser
import Foundation
import Glibc
import JobStore

extension JobsCommand {
  struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show queues, running jobs and the newest ones, live, until Ctrl-C.",
      discussion: """
        On a terminal the screen is redrawn; elsewhere, and with --json, each look is written below the last.

        Examples:
          tintype jobs watch
          tintype jobs watch --queue nightly --interval 5
          tintype jobs watch --once --json | jq '.running[].id'
        """)

    @Option(help: ArgumentHelp("Only this queue.", valueName: "name")) var queue: String?
    @Option(help: ArgumentHelp("Time between two looks.", valueName: "seconds")) var interval = Seconds(1)
    @Flag(help: "Look once.") var once = false
    @Flag(help: "Print JSON, one document a look.") var json = false
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
      guard interval.value >= 0.1 else { throw ValidationError("--interval must be at least 0.1 seconds.") }
    }

    func run() async throws {
      let canRedraw = isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
      let redraws = canRedraw && !json && !once
      // Whoever watches wants to see the database come back, too.
      try await database.withQueue(role: "jobs watch", patience: once ? .zero : .seconds(60)) { store in
        if redraws { print("\u{1B}[2J", terminator: "") }
        while true {
          let screen = QueueScreen.current()
          let snapshot = try await QueueSnapshot.take(store, queue: queue, limit: max(screen.height, 10))
          if json {
            try JSONOutput.print(snapshot)
          } else {
            let time = Date().formatted(.iso8601.time(includingFractionalSeconds: false))
            let lines = screen.lines(snapshot, time: time)
            // Line by line over the last picture, so that nothing flickers; then what is left of it goes.
            print(
              redraws
                ? "\u{1B}[H" + lines.map { $0 + "\u{1B}[K\r\n" }.joined() + "\u{1B}[J"
                : lines.joined(separator: "\n") + "\n",
              terminator: "")
          }
          fflush(nil)
          if once { return }
          try await Task.sleep(for: interval.duration)
        }
      }
    }
  }
}
