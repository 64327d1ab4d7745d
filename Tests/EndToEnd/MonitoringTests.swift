import Foundation
import TestSupport
import Testing

/// What a worker tells those who watch it.
@Suite struct MonitoringTests {
  @Test func aWorkerAnswersProbesAndScrapes() async throws {
    try await Site.with { site in
      let worker = try site.startWorker("--listen", "127.0.0.1:0")
      let url = try await Self.address(of: worker)
      try await Self.wait { try HTTP.ask("\(url)/readyz").status == 200 }
      #expect(try HTTP.ask("\(url)/livez").status == 200)
      #expect(try HTTP.ask("\(url)/elsewhere").status == 404)
      let before = try HTTP.ask("\(url)/metrics")
      #expect(before.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
      #expect(before.body.contains("\ntintype_attempts_total{outcome=\"succeeded\"} 0\n"))

      let good = try await site.enqueue("prompt, image_count", "'a lake', 2")
      let bad = try await site.enqueue("prompt, init_image", "'a lake', 'absent.png'")
      try await site.wait(for: good, toBe: "succeeded")
      try await site.wait(for: bad, toBe: "failed")
      try await Self.wait { try HTTP.ask("\(url)/metrics").body.contains("outcome=\"failed\"} 1\n") }
      let after = try HTTP.ask("\(url)/metrics").body
      for line in [
        "tintype_attempts_total{outcome=\"succeeded\"} 1", "tintype_images_total 2",
        "tintype_attempt_duration_seconds_count{outcome=\"succeeded\"} 1",
        "tintype_phase_duration_seconds_count{phase=\"vae_decode\"} 1", "tintype_worker_ready 1",
        "tintype_worker_live 1", "tintype_jobs_running 0",
      ] {
        #expect(after.contains("\n\(line)\n"), "\(line) is not in:\n\(after)")
      }
      // Every metric of the reference is there, and the reference leaves none out.
      let reference = try String(contentsOf: ProjectFiles.root.appending(path: "Docs/metrics.md"), encoding: .utf8)
      let documented = Set(
        reference.matches(of: /\n\| `([a-z_]+)` \| (?:counter|gauge|histogram)/).map { String($0.1) })
      let present = Set(after.matches(of: #/# TYPE ([a-z_]+) /#).map { String($0.1) })
      #expect(documented == present)

      worker.send(SIGTERM)
      #expect(await worker.exitStatus() == 0)
    }
  }

  @Test func aWorkerWithoutADatabaseLivesButIsNotReady() async throws {
    try await Site.withServer { site, cluster in
      let worker = try site.startWorker("--listen", "127.0.0.1:0", quickly: true)
      let url = try await Self.address(of: worker)
      try await Self.wait { try HTTP.ask("\(url)/readyz").status == 200 }
      try await cluster.stop(.immediate)
      try await Self.wait { try HTTP.ask("\(url)/readyz").status == 503 }
      #expect(try HTTP.ask("\(url)/livez").status == 200)
      #expect(try HTTP.ask("\(url)/readyz").body.contains("database"))
    }
  }

  @Test func metricsGoToAFileWhileTheWorkerLives() async throws {
    try await Site.with { site in
      let path = site.folder.path("tintype.prom")
      let worker = try site.startWorker("--metrics-file", path)
      try await Self.wait {
        (try? String(contentsOfFile: path, encoding: .utf8))?.contains("tintype_worker_info{") == true
      }
      worker.send(SIGTERM)
      #expect(await worker.exitStatus() == 0)
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  @Test func anAddressThatIsTakenIsSaid() async throws {
    try await Site.with { site in
      let first = try site.startWorker("--listen", "127.0.0.1:0")
      let url = try await Self.address(of: first)
      let port = try #require(url.split(separator: ":").last)
      let second = try site.startWorker("--listen", "127.0.0.1:\(port)")
      #expect(await second.exitStatus() == 69)
      #expect(second.errors.contains("cannot listen on 127.0.0.1:\(port)"))
    }
  }

  @Test(.enabled(if: Self.isPrometheusExpected)) func prometheusScrapesAWorker() async throws {
    try await Site.with { site in
      let worker = try site.startWorker("--listen", "127.0.0.1:0")
      let url = try await Self.address(of: worker)
      let job = try await site.enqueue()
      try await site.wait(for: job, toBe: "succeeded")
      // Prometheus' own judgement of names, units and help.
      let metrics = site.folder.path("metrics")
      try HTTP.ask("\(url)/metrics").body.write(toFile: metrics, atomically: true, encoding: .utf8)
      let lint = try Self.run("promtool check metrics < '\(metrics)'")
      #expect(lint.status == 0, "\(lint.output)")

      try """
      global: {scrape_interval: 200ms}
      scrape_configs: [{job_name: tintype, static_configs: [{targets: ["\(url.dropFirst(7))"]}]}]
      """.write(toFile: site.folder.path("prometheus.yml"), atomically: true, encoding: .utf8)
      let port = Int.random(in: 20_000...30_000)
      let prometheus = try Self.start(
        """
        exec prometheus --config.file='\(site.folder.path("prometheus.yml"))' --storage.tsdb.path='\(site.folder.path("tsdb"))' \
        --web.listen-address=127.0.0.1:\(port) >'\(site.folder.path("prometheus.log"))' 2>&1
        """)
      defer {
        prometheus.terminate()
        prometheus.waitUntilExit()
      }
      try await Self.wait {
        let answer = try? HTTP.ask("http://127.0.0.1:\(port)/api/v1/query?query=tintype_images_total")
        return answer?.body.contains(#","1"]"#) == true
      }
    }
  }

  static let isPrometheusExpected =
    FileManager.default.isExecutableFile(atPath: "/usr/bin/prometheus")
    || ProcessInfo.processInfo.environment["CI"] != nil

  /// From the line in which the worker says where it listens.
  private static func address(of worker: ToolProcess) async throws -> String {
    try await wait { worker.errors.contains("listening") }
    let match = try #require(worker.errors.firstMatch(of: /listening.*port=(\d+)/))
    return "http://127.0.0.1:\(match.1)"
  }

  private static func wait(upTo seconds: Double = 60, _ condition: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try !condition() {
      guard ContinuousClock.now < deadline else { throw Complaint("not within \(seconds) s") }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  private static func start(_ command: String) throws -> Process {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["-c", command]
    process.standardInput = FileHandle.nullDevice
    try ProcessLaunch.exclusively { try process.run() }
    return process
  }

  private static func run(_ command: String) throws -> (status: Int32, output: String) {
    let folder = try TemporaryFolder()
    let process = try start("{ \(command); } >'\(folder.path("out"))' 2>&1")
    process.waitUntilExit()
    return (process.terminationStatus, (try? String(contentsOfFile: folder.path("out"), encoding: .utf8)) ?? "")
  }
}
