import Jobs
import TestSupport
import Testing
import Worker

/// Outcomes of several slots that come at the same moment share a statement, and nothing else.
@Suite(.timeLimit(.minutes(2))) struct SeveralOutcomesTests {
  /// Starts as many jobs as there are, and ends them all at once.
  private func together(_ count: Int, _ result: @escaping @Sendable (Job) -> JobResult) -> ScriptedHandler {
    let gate = Gate()
    let handler = ScriptedHandler { job, _ in
      try await gate.pass()
      return result(job)
    }
    Task {
      var started = 0
      for await _ in handler.starts {
        started += 1
        if started == count { return gate.open() }
      }
    }
    return handler
  }

  @Test func theyShareACommit() async throws {
    try await withBench { bench in
      try await bench.insert(16)
      try await bench.service(together(16) { .pictures(of: $0) }) {
        $0.slots = 16
        $0.maxJobs = 16
      }.run()
      #expect(try await bench.value("SELECT count(*) FROM tintype.jobs WHERE state = 'succeeded'") == 16)
      // The first goes alone; the others come while it is under way.
      let transactions: Int = try await bench.value("SELECT count(DISTINCT xmin::text) FROM tintype.images")
      #expect(transactions < 16)
    }
  }

  @Test func whatIsWrongWithOneIsNotTheOthersTrouble() async throws {
    try await withBench { bench in
      try await bench.sql("UPDATE tintype.queues SET max_attempts = 1")
      try await bench.insert(12)
      // Two promise pictures that they do not bring.
      let handler = together(12) { job in
        job.id % 6 == 0 ? JobResult(images: []) : .pictures(of: job)
      }
      try await bench.service(handler) {
        $0.slots = 12
        $0.maxJobs = 12
      }.run()
      #expect(try await bench.value("SELECT count(*) FROM tintype.jobs WHERE state = 'succeeded'") == 10)
      #expect(
        try await bench.value("SELECT array_agg(id ORDER BY id) FROM tintype.jobs WHERE error_code = 'outcome_refused'")
          == [Int64(6), 12])
    }
  }
}
