import Foundation
import Postgres
import TestSupport
import Testing

/// Rows that someone has made to hurt: each gets an error that says what is wrong with it, and costs the worker nothing.
@Suite(.serialized) struct HostileRowTests {
  /// A valid header of 60,000 × 60,000 pixels on 74 bytes: ten gigabytes once decoded.
  private static let pngBomb =
    "89504e470d0a1a0a0000000d494844520000ea600000ea6008020000000fb0e2150000001149444154789c63601805a360140c77000003e80001b3a6d3460000000049454e44ae426082"
  /// The same of a JPEG, 65,500 pixels square.
  private static let jpegBomb = "ffd8ffc0001108ffdcffdc03012200021101031101ffd9"

  @Test func hostileRowsGetAClearErrorAndCostTheWorkerNothing() async throws {
    try await Site.with { site in
      // What the table refuses nobody can insert; these come in past its triggers, as from an older schema.
      func smuggle(_ columns: String, _ values: String) async throws -> Int64 {
        let job = try await site.enqueue(
          "prompt, init_image_data, max_attempts, run_at", "'x', '\\xffd8ff', 1, now() + interval '1 h'")
        try await site.database.query("SET session_replication_role = replica")
        try await site.database.query(
          "UPDATE tintype.jobs SET init_image_data = NULL, strength = NULL WHERE id = \(job)")
        try await site.database.query(
          "UPDATE tintype.jobs SET (\(columns), state, run_at) = ROW(\(values), 'ready', now()) WHERE id = \(job)")
        try await site.database.query("SET session_replication_role = origin")
        return job
      }
      let hostile: [(name: String, job: Int64, code: String)] = [
        (
          "PNG bomb", try await site.enqueue("prompt, init_image_data", "'x', '\\x\(Self.pngBomb)'"),
          "init_image_unreadable"
        ),
        (
          "JPEG bomb", try await site.enqueue("prompt, init_image_data", "'x', '\\x\(Self.jpegBomb)'"),
          "init_image_unreadable"
        ),
        (
          "truncated PNG", try await site.enqueue("prompt, init_image_data", "'x', '\\x89504e470d0a1a0a'"),
          "init_image_unreadable"
        ),
        (
          "path upwards", try await smuggle("init_image, strength", "'../../etc/passwd', 0.5::double precision"),
          "init_image_refused"
        ),
        (
          "absolute path", try await smuggle("init_image, strength", "'/etc/passwd', 0.5::double precision"),
          "init_image_refused"
        ),
        ("absurd size", try await smuggle("width, height", "2147483640, 2147483640"), "invalid_request"),
        ("negative size", try await smuggle("width, height", "-8, -8"), "invalid_request"),
        ("no steps", try await smuggle("steps, image_count", "0, 1"), "invalid_request"),
        ("a million pictures", try await smuggle("steps, image_count", "1, 1000000"), "invalid_request"),
        ("not a number", try await smuggle("guidance_scale, steps", "'NaN'::double precision, 1"), "invalid_request"),
      ]
      // Legal, if only just: drawn, and its prompt cut.
      let giant = try await site.enqueue("prompt", "repeat('red boat ', 1820)")
      let controls = try await site.enqueue("prompt", "E'a \\x01\\x1b[31m\\u202e\\ufeff\\U0001F6A3\\r\\n\\t lake'")
      // What no worker should ever see is refused on the way in.
      for (columns, values) in [
        ("prompt", "repeat('x', 16385)"), ("prompt, width", "'x', 2147483640"),
        ("prompt, init_image", "'x', '../x.png'"),
        ("prompt, metadata", "'x', ('[' || repeat('1,', 20000) || '1]')::jsonb"),
        ("prompt, model", "'x', '../../model'"),
      ] {
        let error = await #expect(throws: PostgresError.self) { _ = try await site.enqueue(columns, values) }
        #expect(error?.sqlState == "23514", "\(columns)")
      }

      let worker = try site.startWorker("--name", "target")
      for (name, job, code) in hostile {
        try await site.wait(for: name, "SELECT state = 'failed' FROM tintype.jobs WHERE id = \(job)")
        let found: String = try await site.value("SELECT error_code FROM tintype.jobs WHERE id = \(job)")
        #expect(found == code, "\(name)")
      }
      for job in [giant, controls] { try await site.wait(for: job, toBe: "succeeded") }
      #expect(
        try await site.value("SELECT cardinality(warnings) = 1 FROM tintype.jobs WHERE id = \(giant)", as: Bool.self))
      // The same process, never lost, never restarted, and it goes on.
      #expect(
        try await site.value("SELECT count(*) = 1 AND bool_and(ended_at IS NULL) FROM tintype.workers", as: Bool.self))
      try await site.wait(for: site.enqueue(), toBe: "succeeded")
      #expect(!worker.errors.contains("\u{1B}[31m\u{202E}"))
    }
  }
}
