import Foundation
import Postgres
import TestSupport
import Testing

/// What a picture needs is said beforehand, and what does not fit is refused.
@Suite struct MemoryTests {
  @Test func inspectPlansAPicture() async throws {
    func plan(_ arguments: String...) async throws -> [String: Int] {
      let outcome = try await Tool.run(["models", "inspect", Tool.demoModel, "--json"] + arguments)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      #expect(report["family"] as? String == "sdxl_turbo" || report["components"] != nil)
      return try #require(report["memory_plan"] as? [String: Int])
    }
    let small = try await plan("--plan", "128x128")
    let large = try await plan("--plan", "256x256", "--count", "2", "--guidance-scale", "2", "--steps", "3")
    for key in [
      "mapped_weights", "private_weights", "activations", "live_activations", "scratch", "prompts", "pictures_at_once",
      "pictures", "total",
      "private_total",
    ] {
      #expect(try #require(small[key]) > 0, "\(key)")
    }
    #expect(small["mapped_weights"] == large["mapped_weights"])
    #expect(small["pictures_at_once"] == 1 && large["pictures_at_once"] == 2)
    // Four times the pixels: every feature map grows with them.
    #expect(try #require(large["activations"]) > 3 * (try #require(small["activations"])))

    let table = try await Tool.run("models", "inspect", Tool.demoModel, "--plan", "128x128")
    #expect(table.output.contains("activations"))
    let refused = try await Tool.run("models", "inspect", Tool.demoModel, "--plan", "100x128")
    #expect(refused.status == 65 && refused.errors.contains("width"), "\(refused.errors)")
  }

  @Test func generateRefusesWhatDoesNotFit() async throws {
    let folder = try TemporaryFolder()
    let outcome = try await Tool.run(
      "generate", "--model", Tool.demoModel, "--prompt", "x", "--width", "1024", "--height", "1024", "--output",
      folder.path("a.png"), environment: ["TINTYPE_MEMORY_LIMIT": "100MB"])
    #expect(outcome.status == 65)
    #expect(outcome.errors.contains("1024 × 1024") && outcome.errors.contains("0.10 GB"), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("a.png")))
  }

  /// A job that can never fit fails at once, and the worker goes on.
  @Test func aWorkerFailsTheJobAndLives() async throws {
    try await Site.with { site in
      let large = try await site.enqueue("prompt, width, height", "'x', 1024, 1024")
      let small = try await site.enqueue("prompt, width, height", "'x', 64, 64")
      try site.startWorker("--memory-limit", "300MB")
      try await site.wait(for: small, toBe: "succeeded")
      try await site.wait(for: large, toBe: "failed")
      // At the first try: another would end the same way.
      #expect(try await site.value("SELECT count(*) = 1 FROM tintype.attempts WHERE job_id = \(large)", as: Bool.self))
      let error = try await site.value(
        "SELECT error_code || ': ' || error FROM tintype.jobs WHERE id = \(large)", as: String.self)
      #expect(error.hasPrefix("too_large_for_memory: ") && error.contains("1024 × 1024"), "\(error)")
    }
  }
}
