import ArgumentParser

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Claim jobs, draw them, write the pictures.",
    discussion: """
      Runs until it is told to stop. SIGTERM and Ctrl-C drain: no new job is taken, and what runs may finish within \
      --drain-timeout; what does not is given back with no attempt spent. A second signal skips the waiting. Any number of \
      workers may share a database and an output folder.

      Examples:
        tintype worker --model sdxl-turbo=./sdxl-turbo --output pictures
        tintype worker --model demo-model/model --output pictures --idle-exit 60
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var options: WorkerOptions
  @OptionGroup var logs: LogOptions

  func run() async throws {
    let logger = try logs.bootstrap()
    try await WorkerRun(
      settings: options.settings(), database: database.configuration(role: "worker"), logger: logger
    ).run()
  }
}
