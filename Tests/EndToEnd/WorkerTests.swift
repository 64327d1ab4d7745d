import Foundation
import Images
import Postgres
import TestSupport
import Testing

/// Rows become pictures: SQL on one side, the real worker process on the other.
@Suite struct WorkerTests {
  @Test func anInsertedRowBecomesAPicture() async throws {
    try await Site.with { site in
      try site.startWorker()
      let job = try await site.enqueue(
        "prompt, seed, steps, metadata", "'a red house by a lake at sunset', 7, 1, '{\"order\": 12}'")
      try await site.wait(for: job, toBe: "succeeded")

      let pictures = try await site.pictures(of: job)
      #expect(pictures.count == 1)
      let picture = try #require(pictures.first)
      #expect(picture.row == picture.file)
      #expect(picture.row.seed == 7)
      #expect(picture.row.width == 128 && picture.row.height == 128)
      expectEqual(picture.pixels, try Golden.load().picture("lake"))
      // What the file says about itself names the job that made it.
      #expect(picture.text("parameters")?.contains("Steps: 1, ") == true)
      let own = try #require(picture.text("tintype"))
      let facts = try #require(try JSONSerialization.jsonObject(with: Data(own.utf8)) as? [String: Any])
      #expect(facts["job"] as? Int64 == job)
      #expect(facts["seed"] as? Int64 == 7)
      // The one attempt is on record with its times.
      let outcome: String = try await site.value(
        "SELECT outcome FROM tintype.attempts WHERE job_id = \(job) AND timings ? 'unet'")
      #expect(outcome == "succeeded")
    }
  }

  @Test func imagesOfAJobAreThoseOfTheirSeedsAlone() async throws {
    try await Site.with { site in
      try site.startWorker()
      let several = try await site.enqueue("prompt, seed, image_count", "'a lake at dawn', 40, 3")
      let third = try await site.enqueue("prompt, seed", "'a lake at dawn', 42")
      try await site.wait(for: several, toBe: "succeeded")
      try await site.wait(for: third, toBe: "succeeded")
      let pictures = try await site.pictures(of: several)
      #expect(pictures.map(\.row.seed) == [40, 41, 42])
      #expect(Set(pictures.map(\.pixels.bytes)).count == 3)
      let alone = try await site.pictures(of: third)
      #expect(alone.first?.pixels == pictures.last?.pixels)
    }
  }

  @Test func twoWorkersNeverRunOneJobTwice() async throws {
    try await Site.with { site in
      try site.startWorker("--name", "one")
      try site.startWorker("--name", "two")
      let count = 24
      _ = try await site.database.query(
        "INSERT INTO tintype.jobs (prompt, seed) SELECT 'a lake', n FROM generate_series(1, $1::int) AS n",
        [.int(Int64(count))])
      try await site.wait(
        for: "all jobs succeeded", "SELECT count(*) = \(count) FROM tintype.jobs WHERE state = 'succeeded'")
      let attempts: Int = try await site.value("SELECT count(*) FROM tintype.attempts")
      #expect(attempts == count)
      let workers: Int = try await site.value(
        "SELECT count(DISTINCT w.name) FROM tintype.attempts a JOIN tintype.workers w ON w.id = a.worker_id")
      #expect(workers == 2, "one worker did everything")
    }
  }

  @Test func maxJobsAndIdleExitEndTheWorkerCleanly() async throws {
    try await Site.with { site in
      for _ in 0..<3 { _ = try await site.enqueue() }
      let limited = try site.startWorker("--max-jobs", "2")
      #expect(await limited.exitStatus() == 0, "\(limited.errors)")
      #expect(try await site.value("SELECT count(*) FROM tintype.jobs WHERE state = 'succeeded'", as: Int.self) == 2)
      let idle = try site.startWorker("--idle-exit", "0.5")
      #expect(await idle.exitStatus() == 0, "\(idle.errors)")
      #expect(try await site.value("SELECT count(*) FROM tintype.jobs WHERE state = 'succeeded'", as: Int.self) == 3)
      let open: Int = try await site.value(
        "SELECT count(*) FROM tintype.workers WHERE ended_by IS DISTINCT FROM 'stop'")
      #expect(open == 0)
    }
  }

  @Test func aLongPromptIsCutWithAWarningOnTheJob() async throws {
    try await Site.with { site in
      try site.startWorker()
      let job = try await site.enqueue("prompt", "repeat('snowy mountains ', 200)")
      try await site.wait(for: job, toBe: "succeeded")
      let warning: String = try await site.value("SELECT warnings[1] FROM tintype.jobs WHERE id = \(job)")
      #expect(warning.contains("snowy mountains"))
    }
  }

  @Test func promptsStayOutOfTheLog() async throws {
    try await Site.with { site in
      let worker = try site.startWorker("--log-level", "trace", "--idle-exit", "0.5")
      let job = try await site.enqueue("prompt, negative_prompt", "'a quokka at dusk', 'a wombat'")
      #expect(await worker.exitStatus() == 0)
      #expect(try await site.state(of: job) == "succeeded")
      #expect(worker.errors.contains("\(job)"), "the job is not in the log: \(worker.errors)")
      #expect(!worker.errors.contains("quokka") && !worker.errors.contains("wombat"))
    }
  }

  @Test func aModelThatNoWorkerHasStaysInTheQueue() async throws {
    try await Site.with { site in
      let job = try await site.enqueue("prompt, model", "'a lake', 'absent'")
      let named = try await site.enqueue("prompt, model", "'a lake', 'demo'")
      let worker = try site.startWorker("--idle-exit", "0.5")
      #expect(await worker.exitStatus() == 0)
      #expect(try await site.state(of: named) == "succeeded")
      #expect(try await site.state(of: job) == "ready")
    }
  }
}
