import ArgumentParser
import Diffusion
import Foundation
import JobStore
import Postgres

struct UpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up",
    abstract: "Start a private PostgreSQL, one worker and the page, and say how to connect.",
    discussion: """
      Nothing needs to be set up before, and no other PostgreSQL on this machine is touched: the server keeps its data in \
      --state-dir and listens on a Unix socket there, not on TCP. The page listens on this machine and opens only by the \
      address that is printed; its key is also the token that actions on the page ask for. The command returns when the \
      worker is ready; `tintype down` stops all three. Everything stays on disk, so the next `tintype up` goes on where the \
      last one stopped.

      Examples:
        tintype up
        tintype up --model sdxl-turbo=./sdxl-turbo --state-dir ./state
        tintype up --json | jq -r .page
      """)

  @Option(name: Settings.stateDirectory.name, help: Settings.stateDirectory.help) var stateDirectory: String?
  @Option(
    name: Settings.models.name,
    help: ArgumentHelp(
      "\(Settings.models.summary) [\(Settings.models.environment); default: the bundled demo model]",
      valueName: "[NAME=]DIR"))
  var model: [ModelList] = []
  @Option(
    name: Settings.output.name,
    help: ArgumentHelp(
      "\(Settings.output.summary) [\(Settings.output.environment); default: pictures in --state-dir]",
      valueName: "DIR"))
  var output: String?
  @Option(name: Settings.input.name, help: Settings.input.help) var input: String?
  @Option(name: Settings.threads.name, help: Settings.threads.help) var threads: PositiveInteger?
  @Option(
    help: ArgumentHelp(
      "Where the page listens. [default: \(Listen.dashboard.address), or another port if that is taken]",
      valueName: "HOST:PORT"))
  var listen: Listen?
  @Flag(inversion: .prefixedNo, help: "Serve the page.") var dashboard = true
  @Flag(help: "Stay, run the worker in this process, and stop everything at Ctrl-C.") var foreground = false
  @Flag(help: "Print how to connect as JSON.") var json = false
  @OptionGroup var logs: LogOptions

  func run() async throws {
    let state = try StateDirectory(stateDirectory)
    try state.create()
    let lock = try state.lock()
    defer { lock.release() }
    let server = try EmbeddedPostgres(folder: state.postgres)
    if !server.isInitialised { StandardError.note("creating a database in \(state.postgres)") }
    try await server.start()
    try await migrate(server)
    if let worker = state.running(.worker) {
      StandardError.note("a worker is running already, process \(worker)")
      return try await printHowToConnect(server, state, page: startPage(server, state))
    }
    let options = try workerOptions(state)
    if foreground {
      try await runWorker(options, server, state, lock)
    } else {
      try await startWorker(options, server, state)
      try await printHowToConnect(server, state, page: startPage(server, state))
    }
  }

  /// Nil when none is wanted.
  private func startPage(_ server: EmbeddedPostgres, _ state: StateDirectory) async throws -> String? {
    guard dashboard else { return nil }
    let page = PrivatePage(
      state: state, databaseURL: server.databaseURL, pictures: try pictures(state), listen: listen)
    return try await page.start(logs: logs.arguments)
  }

  private func workerDatabase(_ server: EmbeddedPostgres) -> PostgresConfiguration {
    PostgresConfiguration(url: server.databaseURL, applicationName: "tintype worker")
  }

  private func migrate(_ server: EmbeddedPostgres) async throws {
    let connection = try await PostgresConnection.connect(
      PostgresConfiguration(url: server.databaseURL, applicationName: "tintype migrate"))
    do {
      for name in try await Migrator(connection: connection).migrate() { StandardError.note("applied \(name)") }
    } catch {
      await connection.close()
      throw error
    }
    await connection.close()
  }

  /// This command's options with its own defaults put in.
  private func workerOptions(_ state: StateDirectory) throws -> WorkerOptions {
    var options = try WorkerOptions.parse([])
    options.input = input
    options.threads = threads
    options.output = try pictures(state)
    if let given = try Settings.models.resolve(ModelList.joining(model)) {
      options.model = [given]
    } else if let folder = DemoModel.find() {
      options.model = [ModelList([.init(name: "demo", folder: folder)])]
    } else {
      throw CommandError(
        .notFound, "the bundled demo model is neither in share/tintype beside this program's bin nor in a checkout.",
        remedy: "Give a model: --model NAME=DIR.")
    }
    return options
  }

  /// What `--json` prints.
  private struct Report: Encodable {
    let databaseUrl: String
    let pictures: String
    /// With its key.
    let page: String?
    let workerLog: String
  }

  private func printHowToConnect(_ server: EmbeddedPostgres, _ state: StateDirectory, page: String?) throws {
    let pictures = try pictures(state)
    if json {
      return try JSONOutput.print(
        Report(databaseUrl: server.databaseURL, pictures: pictures, page: page, workerLog: state.log(of: .worker)))
    }
    print(
      """
      Tintype is up. Connect with
        psql '\(server.databaseURL)'
      and ask for a picture:
        INSERT INTO tintype.jobs (prompt) VALUES ('a red house by a lake at sunset');
      Pictures are written to \(pictures).
      \(page.map { "Watch at \($0)\n" } ?? "")
      For the other commands:
        export TINTYPE_DATABASE_URL='\(server.databaseURL)'
        tintype jobs list
      """)
    if !foreground {
      print("The worker's log is \(state.log(of: .worker)). Stop everything with `tintype down\(stateOption)`.")
    }
  }

  private func pictures(_ state: StateDirectory) throws -> String {
    try Settings.output.resolve(output) ?? state.pictures
  }

  private var stateOption: String { stateDirectory.map { " --state-dir \($0)" } ?? "" }

  /// Runs the worker in this process, which the state folder remembers as it would another one: a second `up` finds it,
  /// and `down` stops it.
  private func runWorker(
    _ options: WorkerOptions, _ server: EmbeddedPostgres, _ state: StateDirectory, _ lock: FolderLock
  ) async throws {
    let outcome: Result<Void, any Error>
    do {
      let worker = WorkerRun(
        settings: try options.settings(), database: workerDatabase(server), logger: try logs.bootstrap())
      try state.record(ProcessInfo.processInfo.processIdentifier, as: .worker)
      try await printHowToConnect(server, state, page: startPage(server, state))
      lock.release()
      outcome = .success(try await worker.run())
    } catch {
      lock.release()
      outcome = .failure(error)
    }
    // A `down` that waits for this worker holds the lock until the worker is forgotten; an `up` that has come in between
    // has started a worker of its own, which needs the server.
    state.forget(.worker)
    let last = try state.lock()
    if state.running(.worker) == nil {
      try await PrivatePage.stop(state)
      _ = try server.stop()
    }
    last.release()
    try outcome.get()
  }

  /// Starts the worker in a process of its own and waits until it is ready: connected, registered, its model loaded.
  private func startWorker(_ options: WorkerOptions, _ server: EmbeddedPostgres, _ state: StateDirectory) async throws {
    // What can be seen at once is said at once, and without a log around it.
    for model in try options.settings().models { _ = try CheckpointFolder(path: model.folder).summary() }
    let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path
    let readiness = try ReadinessSocket(path: state.readinessSocket)
    let logStart = state.logSize(of: .worker)
    let worker = try ChildProcess(
      [program] + options.arguments(databaseURL: server.databaseURL) + logs.arguments, output: state.log(of: .worker),
      environment: ["NOTIFY_SOCKET": readiness.path], isDetached: true)
    try state.record(worker.processIdentifier, as: .worker)
    let bar = ProgressBar()
    defer { bar.finish() }
    while true {
      readiness.listen()
      if readiness.isReady { return }
      if let status = worker.poll() {
        state.forget(.worker)
        throw CommandError(
          ExitStatus(rawValue: status) ?? .internalError,
          "the worker ended before it was ready:\n  \(state.logTail(of: .worker, since: logStart))",
          remedy:
            "Its whole log is \(state.log(of: .worker)). PostgreSQL runs on; `tintype down\(stateOption)` stops it.")
      }
      bar.update(readiness.status, fraction: 0)
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
