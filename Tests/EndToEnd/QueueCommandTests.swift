import Foundation
import Postgres
import TestSupport
import Testing

/// The queue from the shell.
@Suite struct QueueCommandTests {
  @Test func migrateIsIdempotentAndReportsItsStatus() async throws {
    try await withDatabase { url in
      let before = try await Tool.run("migrate", "--status", "--database-url", url)
      #expect(before.status == 78, "\(before.output)")
      #expect(try await Tool.run("migrate", "--database-url", url).status == 0)
      let again = try await Tool.run("migrate", "--json", "--database-url", url)
      #expect(again.status == 0)
      let report = try #require(try JSONSerialization.jsonObject(with: Data(again.output.utf8)) as? [String: Any])
      #expect((report["applied"] as? [String])?.isEmpty == true)
      let after = try await Tool.run("migrate", "--status", environment: ["TINTYPE_DATABASE_URL": url])
      #expect(after.status == 0)
      #expect(after.output.contains("V0001"))
    }
  }

  @Test func enqueueStoresEveryOption() async throws {
    try await Site.with { site in
      let outcome = try await site.tool(
        "enqueue", "--prompt", "a lake", "--negative-prompt", "night", "--steps", "3", "--guidance-scale", "2.5",
        "--seed",
        "77", "--width", "64", "--height", "96", "--count", "2", "--model", "demo", "--priority", "5", "--run-at",
        "2099-01-01 00:00+00", "--max-attempts", "4", "--timeout", "2min", "--idempotency-key", "k1", "--metadata",
        #"{"a": 1}"#, "--tenant", "acme", "--concurrency-key", "gpu", "--deadline", "2099-01-02 00:00+00")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let id = try #require(Int64(outcome.output.trimmingCharacters(in: .newlines)))
      let stored: Bool = try await site.value(
        """
        SELECT prompt = 'a lake' AND negative_prompt = 'night' AND steps = 3 AND guidance_scale = 2.5 AND seed = 77
           AND width = 64 AND height = 96 AND image_count = 2 AND model = 'demo' AND priority = 5
           AND run_at = '2099-01-01 00:00+00' AND max_attempts = 4 AND timeout = '2 minutes' AND idempotency_key = 'k1'
           AND metadata = '{"a": 1}' AND state = 'scheduled'
           AND tenant = 'acme' AND concurrency_key = 'gpu' AND deadline = '2099-01-02 00:00+00'
        FROM tintype.jobs WHERE id = \(id)
        """)
      #expect(stored)
      let negative = try await site.tool("enqueue", "--prompt", "-a lake", "--seed", "-7", "--priority", "-5")
      #expect(negative.status == 0, "\(negative.errors)")
      #expect(
        try await site.value(
          "SELECT prompt = '-a lake' AND seed = -7 AND priority = -5 FROM tintype.jobs ORDER BY id DESC"))
      let refused = try await site.tool("enqueue", "--prompt", "another", "--idempotency-key", "k1")
      #expect(refused.status == 65)
      let bad = try await site.tool("enqueue", "--prompt", "a lake", "--queue", "absent")
      #expect(bad.status == 65)
      #expect(bad.errors.contains("queue") && bad.errors.contains("default"))
    }
  }

  @Test func enqueueCanWaitForThePictureAndTellsWhenThereIsNone() async throws {
    try await Site.with { site in
      try site.startWorker()
      let lake = Golden.folder.appending(path: "lake.png").path
      let done = try await site.tool("enqueue", "--prompt", "a lake at night", "--init-image", lake, "--wait", "--json")
      #expect(done.status == 0, "\(done.errors)")
      let report = try #require(try JSONSerialization.jsonObject(with: Data(done.output.utf8)) as? [String: Any])
      #expect((report["job"] as? [String: Any])?["state"] as? String == "succeeded")
      #expect((report["images"] as? [Any])?.count == 1)
      let failed = try await site.tool("enqueue", "--prompt", "a lake", "--init-path", "absent.png", "--wait")
      #expect(failed.status == 1)
      #expect(failed.output.contains("init_image_unreadable"))
    }
  }

  @Test func jobsAreListedShownCancelledAndRetried() async throws {
    try await Site.with { site in
      let job = try await site.enqueue("prompt", "E'a lake\\nwith \\x1b[31mcolour'")
      let listed = try await site.tool("jobs", "list", "--state", "ready")
      #expect(listed.output.contains("\(job)") && listed.output.contains("ready"))
      // A prompt must not reach the terminal's controls.
      #expect(!listed.output.contains("\u{1B}"))
      #expect(try await site.tool("jobs", "list", "--state", "failed", "--json").output == "[\n\n]\n")
      for command in [["show", "\(job)"], ["watch", "--once"], ["list", "--json"]] {
        let said = try await site.tool(["jobs"] + command).output
        #expect(said.contains("a worker for queue default"), "\(command): \(said)")
      }
      let cancelled = try await site.tool("jobs", "cancel", "\(job)")
      #expect(cancelled.output == "job \(job): cancelled\n")
      #expect(try await site.state(of: job) == "cancelled")
      let retried = try await site.tool("jobs", "retry", "\(job)")
      #expect(retried.output == "job \(job): ready\n")
      let again = try await site.tool("jobs", "retry", "\(job)")
      #expect(again.status == 65)
      #expect(again.errors.contains("only a failed or cancelled job"))
      try await site.database.query(
        "UPDATE tintype.jobs SET state = 'failed', finished_at = now(), error_code = 'x', error = 'x' WHERE id = \(job)"
      )
      #expect(
        try await site.tool("jobs", "retry", "--failed", "--error-code", "y").output == "0 failed jobs are back\n")
      #expect(try await site.tool("jobs", "retry", "--failed").output == "1 failed jobs are back\n")
      #expect(try await site.tool("jobs", "retry").status == 64)
      let shown = try await site.tool("jobs", "show", "\(job)")
      #expect(shown.status == 0 && shown.output.contains("state"))
      for command in ["show", "cancel", "retry"] {
        #expect(try await site.tool("jobs", command, "999999").status == 66, "\(command)")
      }
    }
  }

  @Test func jsonHoldsNotesAndTimingsAsObjects() async throws {
    try await Site.with { site in
      let job = try await site.enqueue("prompt, metadata", #"'a lake', '{"orderId": 12, "tags": ["x"]}'"#)
      try site.startWorker()
      try await site.wait(for: job, toBe: "succeeded")
      let shown = try await site.tool("jobs", "show", "\(job)", "--json")
      let report = try #require(try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [String: Any])
      let row = try #require(report["job"] as? [String: Any])
      let notes = try #require(row["metadata"] as? [String: Any], "\(shown.output)")
      #expect(notes["orderId"] as? Int == 12 && notes["tags"] as? [String] == ["x"])
      let attempt = try #require((report["attempts"] as? [[String: Any]])?.first)
      #expect((attempt["timings"] as? [String: Double])?["unet"] != nil, "\(shown.output)")
      let listed = try await site.tool("jobs", "list", "--json")
      let rows = try #require(try JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [[String: Any]])
      #expect((rows.first?["metadata"] as? [String: Any])?["orderId"] as? Int == 12)
    }
  }

  @Test func aPausedQueueIsNotServed() async throws {
    try await Site.with { site in
      #expect(try await site.tool("queues", "pause", "default", "--reason", "a test").status == 0)
      let job = try await site.enqueue()
      let worker = try site.startWorker("--idle-exit", "0.5")
      #expect(await worker.exitStatus() == 0)
      #expect(try await site.state(of: job) == "ready")
      #expect(try await site.tool("queues", "list").output.contains("a test"))
      #expect(try await site.tool("queues", "resume", "default").status == 0)
      try site.startWorker()
      try await site.wait(for: job, toBe: "succeeded")
      #expect(try await site.tool("queues", "pause", "absent").status == 65)
    }
  }
}

extension Site {
  /// Runs a command on this site's database.
  func tool(_ arguments: String...) async throws -> Tool.Outcome { try await tool(arguments) }

  func tool(_ arguments: [String]) async throws -> Tool.Outcome {
    try await Tool.run(arguments, environment: ["TINTYPE_DATABASE_URL": databaseURL])
  }
}
