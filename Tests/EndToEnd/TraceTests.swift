import Foundation
import TestSupport
import Testing

/// One request, followed from the program that made it to the worker's log lines.
@Suite struct TraceTests {
  @Test func everyLineAboutAJobCarriesItsTrace() async throws {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    try await Site.with { site in
      let traced = "jsonb_build_object('traceparent', '\(trace)')"
      let good = try await site.enqueue("prompt, metadata", "'a lake', \(traced)")
      let bad = try await site.enqueue("prompt, init_image, metadata", "'a lake', 'absent.png', \(traced)")
      let plain = try await site.enqueue("prompt, metadata", "'a lake', '{\"traceparent\": \"a\\nforged line\"}'")
      let worker = try site.startWorker("--log-format", "json", "--log-level", "debug", "--max-jobs", "3")
      for (job, state) in [(good, "succeeded"), (bad, "failed"), (plain, "succeeded")] {
        try await site.wait(for: job, toBe: state)
      }
      #expect(await worker.exitStatus() == 0)
      let lines = try worker.errors.split(separator: "\n").map { line in
        try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
      }
      for (job, expected) in [(good, trace), (bad, trace), (plain, nil)] {
        let about = lines.filter { $0["job"] as? String == "\(job)" }
        #expect(about.count >= 3, "begin, end and outcome: \(about)")
        #expect(about.allSatisfy { $0["traceparent"] as? String == expected }, "\(about)")
      }
      #expect(!worker.errors.contains("forged"))
    }
  }
}
