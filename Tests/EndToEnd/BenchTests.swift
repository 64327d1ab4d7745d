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

  /// Every operation once: their times add up to the component's, but for what networks do between them.
  @Test func layersAreTimedByKindAndShape() async throws {
    let outcome = try await Tool.run(
      "bench", "--model", Tool.demoModel, "--size", "64x72", "--repeat", "1", "--layers", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    let layers = try #require(report["layers"] as? [String: [[String: Any]]])
    #expect(Set(layers.keys) == ["text_encoders", "unet", "vae_decode", "vae_encode"])
    let decoder = try #require(layers["vae_decode"])
    let names = decoder.compactMap { $0["operation"] as? String }
    #expect(names.contains { $0.hasPrefix("conv 3×3 72×64") && $0.hasSuffix("→3, after group norm") }, "\(names)")
    #expect(names.contains { $0.contains("upsampled") }, "\(names)")
    let seconds = decoder.compactMap { $0["seconds"] as? Double }
    #expect(seconds.count == decoder.count && seconds == seconds.sorted(by: >) && seconds.allSatisfy { $0 > 0 })
    #expect(try #require(layers["unet"]).contains { ($0["calls"] as? Int ?? 0) > 1 })

    let table = try await Tool.run("bench", "--model", Tool.demoModel, "--size", "64x64", "--repeat", "1", "--layers")
    #expect(table.output.contains("VAE_DECODE") && table.output.contains("attention "), "\(table.output)")
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
