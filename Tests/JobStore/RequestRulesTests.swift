import JobStore
import Jobs
import Postgres
import Testing

/// What the table accepts, refuses and fills in. Swift's own check must say the same, word for word.
@Suite struct RequestRulesTests {
  @Test func aPromptIsACompleteJob() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let job = try #require(try await queue.store.show(job: id)).job
      #expect(job.state == .ready)
      #expect(job.queue == "default")
      #expect((job.steps, job.guidanceScale, job.imageCount, job.priority, job.maxAttempts) == (1, 0, 1, 0, 3))
      #expect(job.width == nil && job.height == nil && job.model == nil && job.strength == nil && job.timeout == nil)
      #expect(0..<(1 << 32) ~= job.seed)
      #expect(job.metadata == "{}" && job.submittedBy == "postgres")
      #expect(job.createdAt == job.runAt)
    }
  }

  @Test func explicitNullsMeanTheDefaults() async throws {
    try await withQueue { queue in
      let id = try await queue.insert(
        "prompt, steps, guidance_scale, image_count, queue, priority, run_at, max_attempts, seed, metadata",
        "'x', null, null, null, null, null, null, null, null, null")
      #expect(try await queue.state(id) == .ready)
    }
  }

  @Test func seedsDiffer() async throws {
    try await withQueue { queue in
      try await queue.sql("INSERT INTO tintype.jobs (prompt) SELECT 'x' FROM generate_series(1, 50)")
      // Fifty draws below 2^32 agree by chance once in about three million runs.
      #expect(try await queue.value("SELECT count(DISTINCT seed) FROM tintype.jobs") == 50)
    }
  }

  /// One change of a legal request, and its name.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let change: @Sendable (inout JobRequest) -> Void
    init(_ name: String, _ change: @escaping @Sendable (inout JobRequest) -> Void) {
      (self.name, self.change) = (name, change)
    }
    var testDescription: String { name }
  }

  static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0]

  static var cases: [Case] {
    var all: [Case] = []
    for side in [Int(Int32.min), -8, 0, 7, 8, 9, 16, 512, 513, 4088, 4096, 4097, 4104, Int(Int32.max)] {
      all.append(Case("width \(side)") { $0.width = side })
      all.append(Case("height \(side)") { $0.height = side })
    }
    for number in [-1, 0, 1, 2, 49, 50, 51, 64, 65, 100, 101, 999, 1000, 1001, -1000, -1001] {
      all.append(Case("steps \(number)") { $0.steps = number })
      all.append(Case("image_count \(number)") { $0.imageCount = number })
      all.append(Case("max_attempts \(number)") { $0.maxAttempts = number })
      all.append(Case("priority \(number)") { $0.priority = number })
    }
    for number in [
      -1e-300, -0.0, 0, 0.1, 0.5, 0.999, 1, 1.0000000000000002, 7.5, 50, 50.00000000000001, .nan, .infinity, -.infinity,
    ] {
      all.append(Case("guidance_scale \(number)") { $0.guidanceScale = number })
      all.append(Case("strength \(number)") { $0.strength = number })
      all.append(Case("strength \(number) with a picture") { ($0.strength, $0.initImage) = (number, "a.png") })
    }
    for steps in 1...50 {
      // The smallest strength that leaves a step, and its neighbour below: double precision decides.
      let strength = 1 / Double(steps)
      for (name, value) in [("at", strength), ("below", strength.nextDown), ("above", strength.nextUp)] where value <= 1
      {
        all.append(
          Case("\(steps) steps, strength \(name) the edge") {
            ($0.steps, $0.strength, $0.initImage) = (steps, value, "a.png")
          })
      }
    }
    for seconds in [-1.0, 0, 0.5, 1, 604_800, 604_801] {
      all.append(Case("timeout \(seconds)") { $0.timeout = seconds })
    }
    for path in [
      "", "/", "/etc/passwd", "a", "a/b.png", "..", "../a", "a/..", "a/../b", "a..b", "..a/b..", "a\nb", "a\u{7F}",
      "é/ü.png", "it's/..", "./a",
    ] {
      all.append(Case("init_image \(path.debugDescription)") { $0.initImage = path })
    }
    for length in [1024, 1025] {
      all.append(Case("init_image of \(length) bytes") { $0.initImage = String(repeating: "a", count: length) })
    }
    for data: [UInt8] in [[], [0], png, Array(png.prefix(7)), [0xFF, 0xD8, 0xFF], [0xFF, 0xD8], Array("GIF89a".utf8)] {
      all.append(Case("init_image_data \(data)") { $0.initImageData = data })
    }
    for size in [16_777_216, 16_777_217] {
      all.append(
        Case("init_image_data of \(size) bytes") {
          $0.initImageData = png + Array(repeating: 0, count: size - png.count)
        })
    }
    all.append(Case("two pictures") { ($0.initImage, $0.initImageData) = ("a.png", png) })
    all.append(Case("picture and job") { ($0.initImageData, $0.initJob) = (png, 1) })
    for name in [
      "", "sdxl-turbo", "stabilityai/sdxl-turbo", "-x", "a b", "ä", "a\n", "a'b", String(repeating: "m", count: 200),
      String(repeating: "m", count: 201),
    ] {
      all.append(Case("model \(name.debugDescription)") { $0.model = name })
    }
    for key in [
      "", "k", "'; DROP TABLE tintype.jobs; --", String(repeating: "é", count: 200), String(repeating: "é", count: 201),
    ] {
      all.append(Case("idempotency_key of \(key.unicodeScalars.count)") { $0.idempotencyKey = key })
    }
    for text in [
      "", "🏞️ \u{1}\t\n\\ '\" $$ %s {} \u{10FFFF}", String(repeating: "é", count: 8192),
      String(repeating: "é", count: 8192) + "x",
    ] {
      all.append(Case("prompt of \(text.utf8.count) bytes") { $0.prompt = text })
      all.append(Case("negative_prompt of \(text.utf8.count) bytes") { $0.negativePrompt = text })
    }
    for (seed, count) in [(Int64.min, 64), (0, 64), (.max, 1), (.max, 2), (.max - 63, 64), (.max - 62, 64)] {
      all.append(Case("seed \(seed) for \(count)") { ($0.seed, $0.imageCount) = (seed, count) })
    }
    return all
  }

  @Test func swiftAndTheTableAgreeOnEveryEdge() async throws {
    try await withQueue { queue in
      var refused = 0
      for edge in Self.cases {
        var request = JobRequest(prompt: "a red boat")
        edge.change(&request)
        do {
          _ = try await queue.store.enqueue(request)
          #expect(request.problem == nil, "the table accepts \(edge.name)")
        } catch let error as PostgresError {
          refused += 1
          #expect(error.sqlState == "23514", "\(edge.name): \(error)")
          #expect(error.message == request.problem?.message, "\(edge.name)")
          #expect(error.column == request.problem?.column, "\(edge.name)")
        }
      }
      // Both must occur, or this has compared nothing.
      #expect(refused > 80 && Self.cases.count - refused > 80)
    }
  }

  @Test func hostileTextIsKeptAsItIs() async throws {
    try await withQueue { queue in
      let text = "'); DROP SCHEMA tintype CASCADE; -- \\ \" $1 %s \u{1}\u{202E}🏞️é"
      var request = JobRequest(prompt: text)
      request.negativePrompt = text
      request.idempotencyKey = text
      let job = try #require(try await queue.store.show(job: try await queue.store.enqueue(request))).job
      #expect(Array(job.prompt.utf8) == Array(text.utf8) && job.negativePrompt == text && job.idempotencyKey == text)
    }
  }

  @Test func rulesThatNeedTheDatabase() async throws {
    try await withQueue { queue in
      for (columns, values, message) in [
        ("queue", "'nowhere'", "queue must be one of the queues that exist (default); got nowhere"),
        ("init_job", "999", "init_job must be the id of an earlier job of yours; got 999"),
        ("run_at", "'infinity'", "run_at must be a time from the year 2000 to 9999, or null for now; got infinity"),
        ("metadata", "'[1]'", "metadata must be a JSON object of at most 16384 bytes; got a JSON array"),
        (
          "metadata", "jsonb_build_object('a', repeat('x', 16376))",
          "metadata must be a JSON object of at most 16384 bytes; got 16385 bytes"
        ),
      ] {
        let error = try await refusal { try await queue.insert("prompt, \(columns)", "'x', \(values)") }
        #expect(error.sqlState == "23514" && error.column == columns)
        #expect(error.message == message)
      }
      try await queue.insert("prompt, metadata", "'x', jsonb_build_object('a', repeat('x', 16375))")
      #expect(
        try await refusal { try await queue.insert("prompt", "null") }.message
          == "prompt must be a text of at most 16384 bytes; got null")
    }
  }

  @Test(arguments: [
    ("state", "'succeeded'"), ("attempt_id", "1"), ("failures", "0"), ("losses", "0"), ("error_code", "'x'"),
    ("error", "'x'"), ("warnings", "'{}'"), ("submitted_by", "'someone'"), ("created_at", "now()"),
    ("started_at", "now()"), ("finished_at", "now()"), ("claim_key", "now()"), ("request_digest", "'\\x00'"),
  ]) func theWorkersSideCannotBeInserted(column: String, value: String) async throws {
    try await withQueue { queue in
      let error = try await refusal { try await queue.insert("prompt, \(column)", "'x', \(value)") }
      #expect(error.message == "\(column) is set by Tintype: leave it out of the INSERT")
      #expect(error.sqlState == "23514" && error.column == column)
    }
  }

  @Test func aWaitingRequestCanBeChangedUnderTheSameRules() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let error = try await refusal { try await queue.sql("UPDATE tintype.jobs SET width = 513 WHERE id = \(id)") }
      #expect(error.column == "width")
      try await queue.sql("UPDATE tintype.jobs SET width = 520, run_at = now() + interval '1 hour' WHERE id = \(id)")
      #expect(try await queue.state(id) == .scheduled)
      try await queue.sql("UPDATE tintype.jobs SET run_at = now() WHERE id = \(id)")
      #expect(try await queue.state(id) == .ready)
    }
  }

  @Test func aClaimedRequestCannotBeChanged() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      let change = "UPDATE tintype.jobs SET prompt = 'another' WHERE id = \(id)"
      #expect(
        try await refusal { try await queue.sql(change) }.message
          == "job \(id) is running: a request can be changed only while it waits (scheduled, blocked or ready)")
      _ = try await queue.finish(job, by: worker, success(job))
      #expect(try await refusal { try await queue.sql(change) }.sqlState == "55000")
    }
  }
}
