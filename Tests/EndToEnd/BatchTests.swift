import Foundation
import Postgres
import TestSupport
import Testing

/// A worker with several slots draws alike jobs as one tensor batch; nobody can tell from the files.
@Suite struct WorkerBatchTests {
  private static let jobCount: Int64 = 6

  /// Inserts the same jobs into any site: alike, but for prompts, seeds and guidance scales. They take long enough to be caught running.
  private static func insert(into site: Site) async throws {
    _ = try await site.database.query(
      """
      INSERT INTO tintype.jobs (prompt, negative_prompt, seed, steps, guidance_scale, image_count)
      SELECT 'a lake, number ' || n % 3, 'fog', n, 40, 1.5 + n, 2 FROM generate_series(1, $1::int) AS n
      """, [.int(jobCount)])
  }

  /// What is on record of the pictures, by job.
  private static func hashes(_ site: Site) async throws -> [Int64: String] {
    var found: [Int64: String] = [:]
    for job in 1...jobCount where try await site.state(of: job) == "succeeded" {
      let pictures = try await site.pictures(of: job)
      for picture in pictures { #expect(picture.row == picture.file) }
      found[job] = try await site.value(
        "SELECT string_agg(encode(sha256, 'hex'), ' ' ORDER BY index) FROM tintype.images WHERE job_id = \(job)")
    }
    return found
  }

  private static func waitForAll(_ site: Site) async throws {
    try await site.wait(
      for: "all jobs are over", upTo: 120,
      "SELECT count(*) = \(jobCount) FROM tintype.jobs WHERE state IN ('succeeded', 'cancelled')")
  }

  @Test func filesAreThoseOfAWorkerWithOneSlot() async throws {
    var expected: [Int64: String] = [:]
    try await Site.with { site in
      try await Self.insert(into: site)
      try site.startWorker()
      try await Self.waitForAll(site)
      expected = try await Self.hashes(site)
      #expect(expected.count == Int(Self.jobCount) && Set(expected.values).count == Int(Self.jobCount))
    }
    try await Site.with { site in
      try await Self.insert(into: site)
      try site.startWorker("--slots", "4", "--same-shape", quickly: true)
      // One of several that are being drawn at that moment.
      let drawn = "FROM tintype.attempts WHERE finished_at IS NULL AND phase = 'denoise'"
      try await site.wait(for: "several jobs are drawn at once", "SELECT count(*) >= 2 \(drawn)")
      let victim: Int64 = try await site.value("SELECT max(job_id) \(drawn)")
      _ = try await site.database.query("SELECT tintype.cancel($1)", [.int(victim)])
      try await Self.waitForAll(site)
      let found = try await Self.hashes(site)
      #expect(try await site.state(of: victim) == "cancelled")
      #expect(found == expected.filter { $0.key != victim })
      let attempts: Int = try await site.value("SELECT count(*) FROM tintype.attempts")
      #expect(attempts == Int(Self.jobCount), "a job was tried twice")
    }
  }
}
