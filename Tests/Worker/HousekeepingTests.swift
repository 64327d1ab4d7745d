import JobStore
import Jobs
import Synchronization
import Testing
import Worker

/// An output folder that lives in memory.
private final class MemoryFolder: OutputFolder {
  struct Gone: Error {}
  private struct State {
    var files: Set<AttemptFile> = []
    var failures = 0
    var removed: [Int64] = []
    var installation: String?
  }
  private let state: Mutex<State>

  /// - Parameter failures: how many removals fail after they have taken effect, as when the worker dies then.
  init(files: Set<AttemptFile> = [], failures: Int = 0, of installation: String? = nil) {
    state = Mutex(State(files: files, failures: failures, installation: installation))
  }

  var files: Set<AttemptFile> { state.withLock { $0.files } }
  var removed: [Int64] { state.withLock { $0.removed } }

  func identity(installation: String) -> String? {
    state.withLock { state in
      state.installation = state.installation ?? installation
      return state.installation == installation ? "folder" : nil
    }
  }
  func remove(jobs: [Int64]) throws {
    try state.withLock { state in
      state.files = state.files.filter { !jobs.contains($0.job) }
      state.removed += jobs
      if state.failures > 0 {
        state.failures -= 1
        throw Gone()
      }
    }
  }
  func remove(files: [AttemptFile]) -> Int {
    state.withLock { state in
      state.files.subtract(files)
      return files.count
    }
  }
  func parts() -> [String] { ["0"] }
  func files(in part: String, olderThan age: Duration) -> [AttemptFile] { Array(files) }
}

@Suite(.timeLimit(.minutes(2))) struct HousekeepingTests {
  @Test func filesOfADeletedJobGoWithIt() async throws {
    try await withBench { bench in
      let folder = MemoryFolder(failures: 1)
      let service = bench.service(ScriptedHandler(), output: folder) { $0.housekeepingInterval = .milliseconds(50) }
      let job = try await bench.insert()[0]
      try await running(service) { shutDown in
        try await bench.eventually(
          "SELECT state = 'succeeded' AND (SELECT output = 'folder' FROM tintype.workers) FROM tintype.jobs")
        try await bench.sql("UPDATE tintype.queues SET retention = '0'")
        // The first removal fails after the files are gone: the order stands, and is carried out again.
        try await bench.eventually(
          "SELECT count(*) = 0 AND NOT EXISTS (SELECT FROM tintype.removals) FROM tintype.jobs")
        await shutDown()
      }
      #expect(folder.removed == [job, job])
    }
  }

  @Test func whatAFailedAttemptLeftIsSweptAndNothingElse() async throws {
    try await withBench { bench in
      let job = try await bench.insert(columns: "prompt, max_attempts", values: "'x', 1")[0]
      let orphan = AttemptFile(job: job, attempt: 1)
      let foreign = AttemptFile(job: 77_777, attempt: 88_888)
      let folder = MemoryFolder(files: [orphan, foreign])
      let handler = ScriptedHandler { _, _ in throw JobError(code: "internal", message: "m", isPermanent: true) }
      let service = bench.service(handler, output: folder) { $0.housekeepingInterval = .milliseconds(50) }
      try await running(service) { shutDown in
        try await bench.eventually("SELECT state = 'failed' FROM tintype.jobs")
        try await bench.sql("UPDATE tintype.attempts SET finished_at = now() - interval '1 hour'")
        let deadline = ContinuousClock.now + .seconds(30)
        while folder.files.contains(orphan), ContinuousClock.now < deadline {
          try await Task.sleep(for: .milliseconds(20))
        }
        await shutDown()
      }
      #expect(folder.files == [foreign])
    }
  }

  @Test func anotherDatabasesFolderIsLeftAlone() async throws {
    try await withBench { bench in
      let folder = MemoryFolder(of: "another")
      let log = LineSink()
      try await running(bench.service(ScriptedHandler(), log: log, output: folder)) { shutDown in
        try await log.wait(for: "belongs to another database")
        await shutDown()
      }
      #expect(try await bench.value("SELECT output IS NULL FROM tintype.workers"))
    }
  }
}
