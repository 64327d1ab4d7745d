package import Foundation

/// The built `tintype` binary, run as a process of its own: what a user runs is what is tested.
package enum Tool {
  /// Beside the test bundle, whatever the build folder is called.
  package static let path = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appending(path: "tintype").path

  package static let demoModel = ProjectFiles.root.appending(path: "Deploy/demo-model/model").path

  /// What a run said and how it ended.
  package struct Outcome: Sendable {
    package let status: Int32
    package let output: String
    package let errors: String
  }

  /// A process that is not started yet, without input, and its exit status to be; a signal's number as shells report it, so that
  /// SIGKILL cannot be taken for exit status 9.
  ///
  /// - Parameter environment: as in `run`.
  package static func process(
    _ arguments: [String], environment: [String: String]
  ) -> (process: Process, end: Task<Int32, Never>) {
    let inherited = ProcessInfo.processInfo.environment.filter {
      !$0.key.hasPrefix("PG") && !$0.key.hasPrefix("TINTYPE_")
    }
    let process = Process()
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    process.environment = inherited.merging(environment) { _, new in new }
    process.standardInput = FileHandle.nullDevice
    let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = { ended in
      continuation.yield(
        ended.terminationReason == .uncaughtSignal ? 128 + ended.terminationStatus : ended.terminationStatus)
      continuation.finish()
    }
    let end = Task {
      for await status in stream { return status }
      return Int32(-1)
    }
    return (process, end)
  }

  /// Runs to the end.
  ///
  /// - Parameter environment: added to an environment without `PG…` and `TINTYPE_…`, so that the developer's own settings
  ///   cannot decide a test.
  package static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Outcome {
    let running = try ToolProcess(arguments, environment: environment)
    let status = await running.exitStatus()
    return Outcome(status: status, output: running.output, errors: running.errors)
  }

  package static func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> Outcome {
    try await run(arguments, environment: environment)
  }
}

/// A running `tintype`. Its output goes to files, which never fill up and block it as pipes do.
package final class ToolProcess: Sendable {
  private let process: Process
  private let folder: TemporaryFolder
  private let end: Task<Int32, Never>

  package init(_ arguments: [String], environment: [String: String] = [:]) throws {
    folder = try TemporaryFolder()
    (process, end) = Tool.process(arguments, environment: environment)
    for name in ["out", "err"] { _ = FileManager.default.createFile(atPath: folder.path(name), contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: URL(filePath: folder.path("out")))
    process.standardError = try FileHandle(forWritingTo: URL(filePath: folder.path("err")))
    try ProcessLaunch.exclusively { try process.run() }
  }

  /// Waits for the process to end.
  package func exitStatus() async -> Int32 { await end.value }

  package var output: String { (try? String(contentsOfFile: folder.path("out"), encoding: .utf8)) ?? "" }
  package var errors: String { (try? String(contentsOfFile: folder.path("err"), encoding: .utf8)) ?? "" }
  package var isRunning: Bool { process.isRunning }
  package var processIdentifier: Int32 { process.processIdentifier }

  package func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Ends it without ceremony, for tests that are done with it.
  package func stop() async {
    if process.isRunning { send(SIGKILL) }
    _ = await end.value
  }
}

/// A folder that goes when its owner does. World-accessible: workers of tests may run as another user.
package final class TemporaryFolder: Sendable {
  package let url: URL

  package init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "tintype-e2e-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  package func path(_ name: String) -> String { url.appending(path: name).path }
}
