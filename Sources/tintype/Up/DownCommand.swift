import ArgumentParser
import Foundation

struct DownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down",
    abstract: "Stop what `tintype up` started.",
    discussion: """
      The worker finishes what it runs, or gives it back; then the page and PostgreSQL stop. Data and pictures stay. Nothing \
      to stop is no error.

      Example:
        tintype down
      """)

  @Option(name: Settings.stateDirectory.name, help: Settings.stateDirectory.help) var stateDirectory: String?
  @Flag(help: "Print JSON: what ran and has stopped.") var json = false

  /// Which of them ran.
  private struct Report: Encodable {
    var worker = false
    var page = false
    var postgres = false
  }

  /// A worker's drain timeout and its grace, and something for a slow machine.
  private static let patience = Duration.seconds(120)

  func run() async throws {
    let state = try StateDirectory(stateDirectory)
    let lock = Folder.exists(state.path) ? try state.lock() : nil
    defer { lock?.release() }
    var report = Report()
    if let worker = state.running(.worker) {
      kill(worker, SIGTERM)
      let deadline = ContinuousClock.now + Self.patience
      let bar = ProgressBar()
      defer { bar.finish() }
      while state.running(.worker) != nil {
        guard ContinuousClock.now < deadline else {
          throw CommandError(
            .temporary, "the worker, process \(worker), has not ended after \(Self.patience).",
            remedy: "Its log is \(state.log(of: .worker)); `kill -9 \(worker)` loses nothing, its jobs run again.")
        }
        bar.update("waiting for the worker", fraction: 0)
        try await Task.sleep(for: .milliseconds(100))
      }
      bar.finish()
      report.worker = true
      if !json { print("the worker has stopped") }
    }
    state.forget(.worker)
    report.page = try await PrivatePage.stop(state)
    if report.page && !json { print("the page has stopped") }
    report.postgres = Folder.exists(state.postgres) ? try EmbeddedPostgres(folder: state.postgres).stop() : false
    if json { return try JSONOutput.print(report) }
    print(report.postgres ? "PostgreSQL has stopped" : "PostgreSQL was not running")
  }
}
