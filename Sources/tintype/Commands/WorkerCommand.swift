import ArgumentParser
import Foundation
import ImageJobs
import Jobs
import Logging
import ServiceLifecycle
import UnixSignals
import Worker

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
    // A log that nobody reads any more must not end the worker.
    Signals.ignoreBrokenPipe()
    let logger = try logs.bootstrap()
    let settings = try options.settings()
    let engine = try settings.makeEngine()
    let handler = ImageJobHandler(
      engine: engine, store: try settings.makeStore(logger: logger),
      source: InitImageSource(inputRoot: settings.input, outputRoot: settings.output), softwareVersion: Version.text)
    let signals = [SIGTERM, SIGINT]
    let worker = WorkerService(
      configuration: settings.configuration, database: try database.configuration(role: "worker"),
      handler: { try await handler($0, $1) }, models: settings.models.map(\.name), logger: logger,
      notifier: SystemdNotifier(environment: ProcessInfo.processInfo.environment),
      prepare: { loading in
        if !settings.isLazy { try await engine.load { loading.report($0) } }
      },
      discard: { try await handler.discard($1) }, impatience: ShutdownSignals.repeated(signals))
    let group = ServiceGroup(
      configuration: .init(
        services: [.init(service: worker, successTerminationBehavior: .gracefullyShutdownGroup)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch {
      logger.error("\(CommandError(translating: error)?.message ?? "\(error)")")
      throw error
    }
  }
}
