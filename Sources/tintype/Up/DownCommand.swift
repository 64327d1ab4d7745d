import ArgumentParser
import Foundation

struct DownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down",
    abstract: "Stop what `tintype up` started.",
    discussion: """
      The worker finishes what it runs, or gives it back; then PostgreSQL stops. Data and pictures stay. Nothing to stop is no \
      error.

      Example:
        tintype down
      """)

  @Option(name: Settings.stateDirectory.name, help: Settings.stateDirectory.help) var stateDirectory: String?

  /// A worker's drain timeout and its grace, and something for a slow machine.
  private static let patience = Duration.seconds(120)

  func run() async throws {
    let state = try StateDirectory(stateDirectory)
    let lock = Folder.exists(state.path) ? try state.lock() : nil
    defer { lock?.release() }
    if let worker = state.runningWorker() {
      kill(worker, SIGTERM)
      let deadline = ContinuousClock.now + Self.patience
      let bar = ProgressBar()
      defer { bar.finish() }
      while state.runningWorker() != nil {
        guard ContinuousClock.now < deadline else {
          throw CommandError(
            .temporary, "the worker, process \(worker), has not ended after \(Self.patience).",
            remedy: "Its log is \(state.workerLog); `kill -9 \(worker)` loses nothing, its jobs run again.")
        }
        bar.update("waiting for the worker", fraction: 0)
        try await Task.sleep(for: .milliseconds(100))
      }
      bar.finish()
      print("the worker has stopped")
    }
    state.forgetWorker()
    let stopped = Folder.exists(state.postgres) ? try EmbeddedPostgres(folder: state.postgres).stop() : false
    print(stopped ? "PostgreSQL has stopped" : "PostgreSQL was not running")
  }
}
