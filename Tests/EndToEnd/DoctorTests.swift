import Foundation
import Postgres
import TestSupport
import Testing

/// `tintype doctor`: what a worker would find, and what to do about it.
@Suite struct DoctorTests {
  struct Report: Decodable {
    struct Finding: Decodable {
      let name: String, status: String, detail: String
      let remedy: String?
    }
    let ok: Bool
    let findings: [Finding]

    func finding(_ name: String) -> Finding? { findings.first { $0.name == name } }
  }

  private static func examine(
    _ arguments: [String], environment: [String: String] = [:]
  ) async throws -> (report: Report, outcome: Tool.Outcome) {
    let outcome = try await Tool.run(["doctor", "--json"] + arguments, environment: environment)
    return (try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)), outcome)
  }

  @Test func aCompleteInstallationIsSound() async throws {
    try await Site.with { site in
      let (report, outcome) = try await Self.examine([
        "--model", "demo=\(Tool.demoModel)", "--output", site.output, "--input", site.input, "--database-url",
        site.databaseURL,
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(report.ok)
      let names = [
        "processor", "threads", "memory", "model demo", "model demo: memory", "database", "schema",
        "roles", "output", "input",
      ]
      for name in names { #expect(report.finding(name)?.status == "ok", "\(name)") }
      #expect(report.finding("processor")?.detail.contains("kernels: ") == true)
      // The trial file is gone again.
      #expect(try FileManager.default.contentsOfDirectory(atPath: site.output + "/.partial").isEmpty)
    }
  }

  @Test func withoutADatabaseItSaysSoAndIsContent() async throws {
    let (report, outcome) = try await Self.examine([])
    #expect(outcome.status == 0, "\(outcome.errors)")
    for name in ["database", "model", "output", "input"] {
      let finding = try #require(report.finding(name))
      #expect(finding.status == "skipped" && finding.remedy != nil, "\(name)")
    }
  }

  @Test func everyFailureHasARemedyAndTheFirstDecidesTheStatus() async throws {
    let folder = try TemporaryFolder()
    let (report, outcome) = try await Self.examine([
      "--model", "gone=/no/such/model", "--output", "/no/such/folder", "--database-url",
      "postgresql:///postgres?host=\(folder.path("none"))",
    ])
    #expect(outcome.status == 66)
    #expect(!report.ok)
    for name in ["model gone", "output", "database"] {
      let finding = try #require(report.finding(name))
      #expect(finding.status == "failure" && finding.remedy != nil, "\(name)")
    }
    #expect(outcome.errors.contains("3 of"))
  }

  @Test func aSchemaThatIsMissingIsNamed() async throws {
    try await Site.with { site in
      try await site.database.execute("DROP SCHEMA tintype CASCADE")
      let (report, outcome) = try await Self.examine(["--database-url", site.databaseURL])
      #expect(outcome.status == 78)
      #expect(report.finding("database")?.status == "ok")
      #expect(report.finding("schema")?.remedy?.contains("tintype migrate") == true)
    }
  }

  @Test func aModelThatDoesNotFitOrIsBrokenFails() async throws {
    let (report, outcome) = try await Self.examine(["--model", "demo=\(Tool.demoModel)", "--memory-limit", "20MB"])
    #expect(outcome.status == 78)
    #expect(report.finding("model demo")?.status == "ok")
    #expect(report.finding("model demo: memory")?.status == "failure")

    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: Tool.demoModel, toPath: folder.path("model"))
    try FileManager.default.removeItem(atPath: folder.path("model/vae/diffusion_pytorch_model.safetensors"))
    let (broken, status) = try await Self.examine(["--model", folder.path("model")])
    #expect(status.status != 0)
    #expect(broken.finding("model model")?.detail.contains("vae") == true)
  }

  @Test func aTableIsForPeople() async throws {
    let outcome = try await Tool.run("doctor", "--model", "demo=\(Tool.demoModel)")
    #expect(outcome.status == 0, "\(outcome.errors)")
    for text in ["ok      processor", "ok      model demo", "→ "] { #expect(outcome.output.contains(text), "\(text)") }
  }
}
