import Foundation
import TestSupport
import Testing

/// `tintype bench`: figures that programs compare.
@Suite struct BenchTests {
  @Test func theReportHasTheDocumentedKeys() async throws {
    let outcome = try await Tool.run(
      "bench", "--model", Tool.demoModel, "--size", "64x72", "--steps", "2", "--repeat", "1", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    func number(_ key: String) throws -> Double { try #require(report[key] as? Double, "\(key) is missing") }
    for key in [
      "load_s", "text_encoders_s", "unet_s", "vae_decode_s", "vae_encode_s", "total_s", "peak_rss_bytes", "peak_gflops",
    ] {
      #expect(try number(key) > 0)
    }
    let parts = try number("text_encoders_s") + number("unet_s") + number("vae_decode_s")
    #expect(try abs(number("total_s") - parts) < 1e-6)
    #expect(try number("first_picture_s") > number("load_s"))
    #expect((report["width"] as? Int, report["height"] as? Int) == (64, 72))
    let components = try #require(report["components"] as? [String: [String: Any]])
    #expect(Set(components.keys) == ["text_encoders", "unet", "vae_decode", "vae_encode"])
    #expect(components["unet"]?["evaluations"] as? Int == 2)
  }

  @Test func aTableIsForPeople() async throws {
    let outcome = try await Tool.run("bench", "--model", Tool.demoModel, "--size", "64x64", "--repeat", "2")
    #expect(outcome.status == 0, "\(outcome.errors)")
    for word in ["COMPONENT", "text_encoders", "unet", "vae_decode", "vae_encode", "peak resident"] {
      #expect(outcome.output.contains(word))
    }
  }

  @Test(arguments: [
    (["--size", "512"], 64, "size"), (["--size", "100x64"], 65, "width"), (["--repeat", "0"], 64, "repeat"),
    (["--steps", "51"], 65, "steps"), (["--model", "/no/such/folder"], 66, "no such folder"),
  ])
  func whatCannotRunIsRefused(_ arguments: [String], _ status: Int32, _ word: String) async throws {
    let model = arguments.contains("--model") ? [] : ["--model", Tool.demoModel]
    let outcome = try await Tool.run(["bench"] + model + arguments)
    #expect(outcome.status == status, "\(outcome.errors)")
    #expect(outcome.errors.contains(word), "\(outcome.errors)")
  }
}
