import CoreMetrics
import Foundation
import Logging
import Monitoring
import Synchronization
import Testing

@Suite struct PrometheusTests {
  @Test func countersGaugesAndTimersAreWrittenAsPrometheusReadsThem() {
    let registry = PrometheusRegistry(help: ["jobs_total": "Jobs,\nall of them."])
    Counter(label: "jobs_total", dimensions: [("outcome", #"a "good" one"#)], factory: registry).increment(by: 3)
    Counter(label: "jobs_total", dimensions: [("outcome", "bad")], factory: registry).increment()
    Counter(label: "jobs_total", dimensions: [("outcome", "bad")], factory: registry).increment()
    Meter(label: "running", factory: registry).set(1.5)
    let text = registry.text()
    #expect(
      text == """
        # HELP jobs_total Jobs,\\nall of them.
        # TYPE jobs_total counter
        jobs_total{outcome="a \\"good\\" one"} 3
        jobs_total{outcome="bad"} 2
        # TYPE running gauge
        running 1.5

        """)
  }

  @Test func aTimerIsAHistogramOfSeconds() {
    let registry = PrometheusRegistry(help: [:])
    let timer = Timer(label: "run_seconds", factory: registry)
    for milliseconds in [1, 5, 6, 30_000, 9_000_000] { timer.recordNanoseconds(Int64(milliseconds) * 1_000_000) }
    let lines = registry.text().split(separator: "\n").map(String.init)
    #expect(lines.first == "# TYPE run_seconds histogram")
    // A bound belongs to its bucket; buckets add up; the last holds everything.
    #expect(lines.contains(#"run_seconds_bucket{le="0.005"} 2"#))
    #expect(lines.contains(#"run_seconds_bucket{le="0.01"} 3"#))
    #expect(lines.contains(#"run_seconds_bucket{le="25"} 3"#))
    #expect(lines.contains(#"run_seconds_bucket{le="50"} 4"#))
    #expect(lines.contains(#"run_seconds_bucket{le="+Inf"} 5"#))
    #expect(lines.contains("run_seconds_count 5"))
    #expect(lines.contains("run_seconds_sum 9030.012"))
  }

  @Test func namesThatPrometheusCannotReadAreMadeReadable() {
    let registry = PrometheusRegistry(help: [:])
    Counter(label: "9 lives-left.total", factory: registry).increment()
    #expect(registry.text().contains("\n_9_lives_left_total 1\n"))
  }

  @Test func oneNameIsOfOneKind() {
    let registry = PrometheusRegistry(help: [:])
    Counter(label: "x", factory: registry).increment()
    Meter(label: "x", factory: registry).set(7)
    #expect(registry.text() == "# TYPE x counter\nx 1\n")
  }

  @Test func manyThreadsCountExactly() async {
    let registry = PrometheusRegistry(help: [:])
    await withTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<1000 { Counter(label: "n", dimensions: [("a", "b")], factory: registry).increment() }
        }
      }
    }
    #expect(registry.text() == "# TYPE n counter\nn{a=\"b\"} 8000\n")
  }

  @Test func theProcessSaysWhatItUses() {
    let values = ProcessMetrics.text().split(separator: "\n").filter { !$0.hasPrefix("#") }
      .map { $0.split(separator: " ") }
    let byName = Dictionary(uniqueKeysWithValues: values.map { (String($0[0]), Double($0[1]) ?? -1) })
    #expect((byName["process_resident_memory_bytes"] ?? 0) > 1_048_576)
    #expect((byName["process_cpu_seconds_total"] ?? 0) > 0)
  }
}

@Suite struct ListenAddressTests {
  @Test(arguments: [
    ("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:9464", "::1", 9464), ("localhost:0", "localhost", 0),
    (":9464", "0.0.0.0", 9464),
  ]) func isRead(text: String, host: String, port: Int) throws {
    let address = try #require(ListenAddress(text))
    #expect(address.host == host && address.port == port)
    #expect(address.isLoopback == (host != "0.0.0.0"))
  }

  @Test func aNameThatOnlyLooksLikeThisMachineIsAnother() {
    #expect(ListenAddress("127.0.0.1.example:80")?.isLoopback == false)
  }

  @Test(arguments: ["", "9464", "host", "host:", "host:port", "host:70000", "host:-1", "::1:9464"])
  func isRefused(text: String) { #expect(ListenAddress(text) == nil) }
}

@Suite struct MetricsFileTests {
  @Test func isWholeAndGoesWithItsProcess() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tintype-metrics-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "tintype.prom").path
    let file = MetricsFile(path: path, logger: Logger(label: "test")) { "a 1\n" }
    #expect(file.write() == nil)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "a 1\n")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["tintype.prom"])
    let nowhere = MetricsFile(path: "/nowhere/x.prom", logger: Logger(label: "test")) { "" }
    #expect(nowhere.write()?.contains("No such file") == true)
  }
}
