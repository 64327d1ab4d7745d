import Foundation
import Images
import Safetensors
import TestSupport
import Testing

/// `tintype generate`: pictures without a database, equal to diffusers'.
@Suite struct GenerateTests {
  @Test(arguments: try Golden.load().cases) func equalsTheReference(_ golden: Golden.Case) async throws {
    let folder = try TemporaryFolder()
    var arguments = [
      "--prompt", golden.prompt, "--steps", "\(golden.steps)", "--seed", "\(golden.seed)",
    ]
    if let text = golden.negativePrompt { arguments += ["--negative-prompt", text] }
    if let width = golden.width { arguments += ["--width", "\(width)"] }
    if let height = golden.height { arguments += ["--height", "\(height)"] }
    if let scale = golden.guidanceScale { arguments += ["--guidance-scale", "\(scale)"] }
    if let strength = golden.strength { arguments += ["--strength", "\(strength)"] }
    if let file = golden.initImage { arguments += ["--init-image", Golden.folder.appending(path: file).path] }
    let outcome = try await Self.generate(arguments, to: folder.path("a.png"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let picture = try ImageDecoder.decode([UInt8](Data(contentsOf: URL(filePath: folder.path("a.png")))))
    expectEqual(picture, try Golden.load().picture(golden.name))
  }

  @Test func theSameRequestGivesTheSameBytes() async throws {
    let folder = try TemporaryFolder()
    for name in ["a.png", "b.png"] {
      let outcome = try await Self.generate(
        ["--prompt", "a lake", "--seed", "5", "--threads", "2"], to: folder.path(name))
      #expect(outcome.status == 0)
    }
    let (first, second) = (
      try await sha256(ofFile: folder.path("a.png")), try await sha256(ofFile: folder.path("b.png"))
    )
    #expect(first == second)
  }

  @Test func severalPicturesGetNumberedNamesAndTheReportNamesThem() async throws {
    let folder = try TemporaryFolder()
    let outcome = try await Self.generate(
      ["--prompt", "a lake", "--seed", "9", "--count", "2", "--json"], to: folder.path("lake.v1.png"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    let images = try #require(report["images"] as? [[String: Any]])
    #expect(images.map { $0["file"] as? String } == ["lake.v1-0.png", "lake.v1-1.png"].map(folder.path))
    #expect(images.map { $0["seed"] as? Int } == [9, 10])
    for image in images {
      let file = try #require(image["file"] as? String)
      let found = try await sha256(ofFile: file)
      #expect(image["sha256"] as? String == found)
      #expect(image["width"] as? Int == 128)
    }
    let timings = try #require(report["timings"] as? [String: Double])
    #expect(Set(timings.keys).isSuperset(of: ["load_model", "text", "unet", "vae_decode", "total"]))
    // The progress bar is for terminals.
    #expect(!outcome.errors.contains("\r"))
  }

  @Test func savedTensorsHaveTheDocumentedNames() async throws {
    let folder = try TemporaryFolder()
    let outcome = try await Self.generate(
      ["--prompt", "a lake", "--seed", "9", "--steps", "2", "--save-tensors", folder.path("t.safetensors")],
      to: folder.path("a.png"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let file = try SafetensorsFile(path: folder.path("t.safetensors"))
    #expect(
      Set(file.tensors.keys) == [
        "input_ids", "input_ids_2", "prompt_embeds", "pooled_prompt_embeds", "timesteps", "sigmas", "initial_latents",
        "noise_pred_0", "noise_pred_1", "latents_after_0", "latents_after_1", "latents", "decoded",
      ])
    #expect(file.tensors["latents"]?.shape == [1, 4, 16, 16])
    #expect(file.tensors["decoded"]?.shape == [1, 3, 128, 128])
  }

  static let refused: [(arguments: [String], status: Int32, word: String)] = [
    (["--steps", "51"], 65, "steps"), (["--width", "100"], 65, "width"), (["--strength", "0.5"], 65, "strength"),
    (["--guidance-scale", "nan"], 65, "guidance_scale"), (["--count", "0"], 65, "image_count"),
    (["--init-image", "/no/such/file.png"], 66, "init-image"),
    (["--init-image", ProjectFiles.root.appending(path: "README.md").path], 65, "PNG or JPEG"),
    (["--model", "/no/such/folder"], 66, "/no/such/folder"),
    (["--save-tensors", "/no/such/folder/t.safetensors"], 73, "save-tensors"),
  ]

  @Test(arguments: refused)
  func whatCannotWorkIsRefusedByName(_ arguments: [String], _ status: Int32, _ word: String) async throws {
    let folder = try TemporaryFolder()
    let outcome = try await Self.generate(["--prompt", "a lake"] + arguments, to: folder.path("a.png"))
    #expect(outcome.status == status, "\(outcome.errors)")
    #expect(outcome.errors.contains(word))
    #expect(!FileManager.default.fileExists(atPath: folder.path("a.png")))
  }

  @Test func anOutputThatCannotBeCreatedIsSaidBeforeAnyWork() async throws {
    let folder = try TemporaryFolder()
    // The model does not exist either: that the output is what is complained of shows which came first.
    let outcome = try await Tool.run(
      "generate", "--model", "/no/such/folder", "--prompt", "a lake", "--output", folder.path("no/a.png"))
    #expect(outcome.status == 73, "\(outcome.errors)")
  }

  @Test func modelsAreInspectedAndVerified() async throws {
    let inspected = try await Tool.run("models", "inspect", Tool.demoModel)
    #expect(inspected.status == 0)
    for word in ["sdxl-turbo", "EulerAncestralDiscreteScheduler", "unet", "vae", "text_encoder_2", "F16"] {
      #expect(inspected.output.contains(word), "\(word)")
    }
    let verified = try await Tool.run("models", "verify", Tool.demoModel)
    #expect(verified.status == 0, "\(verified.errors)")

    // One file cut short by a byte.
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: Tool.demoModel, toPath: folder.path("model"))
    let weights = folder.path("model/vae/diffusion_pytorch_model.safetensors")
    let whole = try Data(contentsOf: URL(filePath: weights))
    try whole.dropLast().write(to: URL(filePath: weights))
    let broken = try await Tool.run("models", "verify", folder.path("model"))
    #expect(broken.status == 65)
    #expect(broken.errors.contains("vae/diffusion_pytorch_model.safetensors"))
  }

  private static func generate(_ arguments: [String], to path: String) async throws -> Tool.Outcome {
    let model = arguments.contains("--model") ? [] : ["--model", Tool.demoModel]
    return try await Tool.run(["generate"] + model + arguments + ["--output", path])
  }
}
