import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Worker

/// A database that turns the worker away.
@Suite(.timeLimit(.minutes(2))) struct WorkerRefusalTests {
  /// A server of the test's own, which wants a password of the workers' role.
  private func withPasswords(
    _ body: (_ bench: WorkerBench, _ password: Password) async throws -> Void
  ) async throws {
    let cluster = try await PrivateCluster.start()
    do {
      try await WorkerBench.migrate(cluster.url())
      try await cluster.psql("CREATE ROLE hand LOGIN PASSWORD 'first' IN ROLE tintype_worker")
      try await cluster.requirePasswords()
      let owner = try await PostgresConnection.connect(PostgresConfiguration(url: cluster.url()))
      let password = Password("first")
      try await body(
        WorkerBench(url: cluster.url(user: "hand"), connection: owner, password: { password.text }),
        password)
      await owner.close()
    } catch {
      await cluster.remove()
      throw error
    }
    await cluster.remove()
  }

  private final class Password: Sendable {
    private let value: Mutex<String>
    var text: String {
      get { value.withLock { $0 } }
      set { value.withLock { $0 = newValue } }
    }
    init(_ text: String) { value = Mutex(text) }
  }

  @Test func aRefusedWorkerEndsAtItsStart() async throws {
    try await withPasswords { bench, password in
      password.text = "wrong"
      let error = await #expect(throws: WorkerError.self) { try await bench.service(ScriptedHandler()).run() }
      #expect(error?.code == .databaseRefused)
      #expect((error?.cause as? PostgresError)?.sqlState == "28P01")
    }
  }

  @Test func aWorkerOutlivesAChangedPassword() async throws {
    try await withPasswords { bench, password in
      let listener = try DatagramListener()
      let notifier = try #require(
        SystemdNotifier(environment: ["NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "300000"]))
      let log = LineSink()
      let service = bench.service(ScriptedHandler(), notifier: notifier, log: log)
      try await running(service) { shutDown in
        try await bench.eventually("SELECT count(*) = 1 FROM tintype.workers")
        try await bench.sql("ALTER ROLE hand PASSWORD 'gooseberry'")
        try await bench.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hand'")
        // The status line says so, and the log.
        var status = ""
        while !status.contains("refuses this worker") {
          status = listener.receiveText()
          try #require(!status.isEmpty, "nothing was said")
        }
        #expect(
          log.lines.contains { $0.contains("refuses this worker") && $0.contains("password authentication failed") })
        password.text = "gooseberry"
        let job = try await bench.insert()[0]
        try await bench.eventually("SELECT state = 'succeeded' FROM tintype.jobs WHERE id = \(job)")
        await shutDown()
      }
      #expect(!log.lines.contains { $0.contains("gooseberry") }, "the password is in the log")
    }
  }
}
