import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

/// What can go wrong around a worker, done to a real one. No job may be lost, run twice at once, or end without a reason.
@Suite(.serialized) struct FailureTests {
  /// Columns of a job that takes minutes: what a test does to it always comes first.
  private static let long = (columns: "prompt, steps, image_count", values: "'a lake at dawn', 50, 64")
  /// A few seconds of work, so that a test can catch it running and still see it end.
  private static let brief = (columns: "prompt, steps, image_count", values: "'a lake at dawn', 50, 16")

  @Test func aKilledWorkersJobIsFinishedByAnother() async throws {
    try await Site.with { site in
      let victim = try site.startWorker("--name", "victim", quickly: true)
      let job = try await site.enqueue(Self.brief.columns, Self.brief.values)
      try await site.waitUntilDenoising(job)
      victim.send(SIGKILL)
      #expect(await victim.exitStatus() == 128 + SIGKILL)
      let held: Int = try await site.value(
        "SELECT attempt_id FROM tintype.jobs WHERE id = \(job) AND state = 'running'")
      // With a lease that no load outlasts: it would give the job back and begin again.
      try site.startWorker("--name", "heir")
      try await site.wait(for: job, toBe: "succeeded", upTo: 180)

      let history: [String] = try await site.value(
        """
        SELECT array_agg(w.name || ' ' || a.outcome ORDER BY a.id)
        FROM tintype.attempts a JOIN tintype.workers w ON w.id = a.worker_id WHERE a.job_id = \(job) AND a.id >= \(held)
        """)
      #expect(history == ["victim lost", "heir succeeded"])
      // A lost worker is not the job's fault.
      #expect(try await site.value("SELECT failures FROM tintype.jobs WHERE id = \(job)", as: Int.self) == 0)
      let pictures = try await site.pictures(of: job)
      #expect(pictures.count == 16)
      for picture in pictures { #expect(picture.row == picture.file) }
      #expect(try site.filesOnDisk() == Set(pictures.map(\.path)), "files that no row names")
    }
  }

  @Test func terminationLetsAJobFinishWithinTheDrainTimeout() async throws {
    try await Site.with { site in
      let worker = try site.startWorker("--drain-timeout", "120", quickly: true)
      let job = try await site.enqueue(Self.brief.columns, Self.brief.values)
      let next = try await site.enqueue()
      try await site.waitUntilDenoising(job)
      worker.send(SIGTERM)
      #expect(await worker.exitStatus() == 0, "\(worker.errors)")
      #expect(try await site.state(of: job) == "succeeded")
      #expect(try await site.state(of: next) == "ready", "a draining worker took a new job")
    }
  }

  @Test func terminationReleasesWhatDoesNotFinishAndSpendsNoAttempt() async throws {
    try await Site.with { site in
      let worker = try site.startWorker("--drain-timeout", "0.2", quickly: true)
      let job = try await site.enqueue(Self.long.columns, Self.long.values)
      try await site.waitUntilDenoising(job)
      let signalled = ContinuousClock.now
      worker.send(SIGTERM)
      #expect(await worker.exitStatus() == 0, "\(worker.errors)")
      #expect(ContinuousClock.now - signalled < .seconds(20))
      #expect(try await site.state(of: job) == "ready")
      let kept: Bool = try await site.value(
        "SELECT failures = 0 AND losses = 0 AND attempt_id IS NULL FROM tintype.jobs WHERE id = \(job)")
      #expect(kept)
      let outcome: String = try await site.value("SELECT outcome FROM tintype.attempts WHERE job_id = \(job)")
      #expect(outcome == "released")
    }
  }

  @Test func aRunningJobIsCancelledAndTheWorkerGoesOn() async throws {
    try await Site.with { site in
      let worker = try site.startWorker(quickly: true)
      let job = try await site.enqueue(Self.long.columns, Self.long.values)
      try await site.waitUntilDenoising(job)
      _ = try await site.database.query("SELECT tintype.cancel($1)", [.int(job)])
      try await site.wait(for: job, toBe: "cancelled", upTo: 20)
      let next = try await site.enqueue()
      try await site.wait(for: next, toBe: "succeeded")
      #expect(worker.isRunning)
      #expect(try await site.pictures(of: job).isEmpty)
    }
  }

  @Test func theDatabaseMayCrashAndComeBackWhileAJobRuns() async throws {
    try await Site.withServer { site, cluster in
      let worker = try site.startWorker(quickly: true)
      let job = try await site.enqueue(Self.brief.columns, Self.brief.values)
      try await site.waitUntilDenoising(job)
      try await cluster.restart(.immediate)
      try await site.reconnect()
      try await site.wait(for: job, toBe: "succeeded", upTo: 90)
      let after = try await site.enqueue()
      try await site.wait(for: after, toBe: "succeeded", upTo: 60)
      #expect(worker.isRunning)
    }
  }

  @Test func anOutputThatCannotBeWrittenIsRetriedAndExplained() async throws {
    try await Site.with { site in
      // A file where the shard's folder belongs: refused for root too, as a mode would not be.
      _ = FileManager.default.createFile(atPath: "\(site.output)/0", contents: nil)
      _ = try await site.database.query("UPDATE tintype.queues SET retry_base = '100 milliseconds'")
      let job = try await site.enqueue("prompt, max_attempts", "'a lake', 5")
      try site.startWorker()
      try await site.wait(
        for: "a failed attempt", "SELECT EXISTS (SELECT FROM tintype.attempts WHERE outcome = 'failed')")
      let error: String = try await site.value("SELECT error FROM tintype.attempts WHERE outcome = 'failed' LIMIT 1")
      #expect(error.contains(site.output), "\(error)")
      // Once there is room again the same job goes through.
      try FileManager.default.removeItem(atPath: "\(site.output)/0")
      try await site.wait(for: job, toBe: "succeeded")
    }
  }

  @Test func aWorkerThatTheDatabaseRefusesEndsAtOnceAndIsNotRestarted() async throws {
    try await Site.withServer { site, cluster in
      try await cluster.psql("CREATE ROLE hand LOGIN PASSWORD 'right' IN ROLE tintype_worker")
      try await cluster.requirePasswords()
      for (url, password, status) in [
        (cluster.url(user: "hand"), "wrong", 77), (cluster.url(user: "absent"), "right", 77),
        (cluster.url(user: "hand"), "", 77), (cluster.url(database: "nowhere", user: "hand"), "right", 78),
      ] {
        let folder = try TemporaryFolder()
        let outcome = try await Tool.run(
          "worker", "--database-url", url, "--model", Tool.demoModel, "--output", folder.path("out"),
          environment: ["PGPASSWORD": password])
        #expect(outcome.status == status, "\(url) \(password): \(outcome.errors)")
        #expect(outcome.errors.contains("tintype: error: the database refuses this worker"), "\(outcome.errors)")
      }
      // The very statuses that the unit does not restart.
      let unit = try String(
        contentsOf: ProjectFiles.root.appending(path: "Deploy/systemd/tintype-worker@.service"), encoding: .utf8)
      #expect(unit.contains("RestartPreventExitStatus=64 77 78"))
    }
  }

  @Test func aWorkerRefusesASchemaThatIsNotThere() async throws {
    try await withDatabase { url in
      let folder = try TemporaryFolder()
      let outcome = try await Tool.run(
        "worker", "--database-url", url, "--model", Tool.demoModel, "--output", folder.path("out"))
      #expect(outcome.status == 78)
      #expect(outcome.errors.contains("tintype migrate"))
    }
  }
}

extension Site {
  func waitUntilDenoising(_ job: Int64) async throws {
    try await wait(
      for: "job \(job) denoising",
      """
      SELECT EXISTS (SELECT FROM tintype.attempts a
        WHERE a.job_id = \(job) AND a.finished_at IS NULL AND a.phase = 'denoise')
      """)
  }
}
