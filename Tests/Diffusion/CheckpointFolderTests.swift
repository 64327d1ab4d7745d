import Diffusion
import Foundation
import Safetensors
import Testing

/// The folder as a whole: what it is, what it is not, what it holds, and what identifies it.
@Suite struct CheckpointFolderTests {
  @Test func readsTheIndex() throws {
    let xl = try CheckpointScratch(.sdxlTurbo).open().index
    #expect(xl.family == .sdxlTurbo)
    #expect(xl.forceZerosForEmptyPrompt)
    #expect(xl.weightComponents == ["text_encoder", "text_encoder_2", "unet", "vae"])
    #expect(xl.components["safety_checker"] == nil)
    let sd = try CheckpointScratch(.sdTurbo).open().index
    #expect(sd.family == .sdTurbo)
    #expect(!sd.forceZerosForEmptyPrompt)
    #expect(sd.schedulerClass == "EulerDiscreteScheduler")
    #expect(sd.weightComponents == ["text_encoder", "unet", "vae"])
  }

  @Test(arguments: [
    (
      "_class_name", #""FluxPipeline""#,
      #"is "FluxPipeline"; supported: "StableDiffusionXLPipeline", "StableDiffusionPipeline""#
    ),
    ("_class_name", "null", "is missing"), ("unet", "[null,null]", "unet is missing or null"),
    ("unet", #"["diffusers","UNet3DConditionModel"]"#, "is a UNet3DConditionModel; supported: UNet2DConditionModel"),
    ("vae", #"["diffusers","AutoencoderTiny"]"#, "supported: AutoencoderKL"),
    ("text_encoder_2", "null", "text_encoder_2 is missing"),
    ("text_encoder_2", #"["transformers","CLIPTextModel"]"#, "supported: CLIPTextModelWithProjection"),
    ("force_zeros_for_empty_prompt", "3", "wrong type"),
  ]) func refusesOtherPipelines(key: String, value: String, fragment: String) throws {
    let scratch = try CheckpointScratch(.sdxlTurbo)
    try scratch.write(CheckpointScratch.index(.sdxlTurbo, [key: try parse(value)]), to: "model_index.json")
    let error = try #require(try checkpointError { _ = try scratch.open() })
    #expect(error.path == "\(scratch.path)/model_index.json")
    #expect(error.message.contains(fragment), "\(error)")
  }

  @Test func saysWhatIsNoFolder() throws {
    let scratch = try CheckpointScratch()
    func message(_ path: String) throws -> String? {
      try checkpointError { _ = try CheckpointFolder(path: path) }?.message
    }
    #expect(try message("\(scratch.path)/absent") == "no such folder")
    try scratch.write(weights: ["a": 1], to: "sd_turbo.safetensors")
    #expect(try message("\(scratch.path)/sd_turbo.safetensors")?.contains("not the single-file checkpoint") == true)
    #expect(try message("\(scratch.path)/unet")?.hasPrefix("has no model_index.json; needed is a folder") == true)
    try FileManager.default.removeItem(atPath: "\(scratch.path)/model_index.json")
    #expect(try message(scratch.path)?.contains("but sd_turbo.safetensors, a single-file checkpoint") == true)
  }

  @Test func namesAMissingComponent() throws {
    let scratch = try CheckpointScratch()
    let folder = try scratch.open()
    #expect(
      try checkpointError { _ = try folder.config(CLIPTextConfig.self, component: "text_encoder_2") }?.message
        == "lists no text_encoder_2; it lists scheduler, text_encoder, tokenizer, unet, vae")
    #expect(
      try checkpointError { _ = try folder.config(AutoencoderKLConfig.self, component: "vae") }?.path
        == "\(scratch.path)/vae/config.json")
    try FileManager.default.removeItem(atPath: "\(scratch.path)/vae")
    let error = try #require(try checkpointError { _ = try scratch.open() })
    #expect(error.code == .missingFile)
    #expect(error.path == "\(scratch.path)/vae")
  }

  /// A folder with weights of three types, one component in shards.
  private func filled() throws -> CheckpointScratch {
    let scratch = try CheckpointScratch()
    for component in ["text_encoder", "unet", "vae"] {
      try scratch.write([:] as [String: Any], to: "\(component)/config.json")
    }
    try scratch.write(["timestep_spacing": "trailing"], to: "scheduler/scheduler_config.json")
    try scratch.write(["!": 0], to: "tokenizer/vocab.json")
    try scratch.write(
      [
        .init(name: "text_model.a", shape: [2, 2], halves: [1, 2, 3, 4]),
        .init(name: "text_model.embeddings.position_ids", shape: [1, 77], integers: (0..<77).map(Int64.init)),
      ], to: "text_encoder/model.fp16.safetensors")
    try scratch.write(
      [.init(name: "v", shape: [3], brainFloats: [1, 2, 3])], to: "vae/diffusion_pytorch_model.safetensors")
    try scratch.write(weights: ["a": 1, "b": 2], to: "unet/s-00001-of-00002.safetensors")
    try scratch.write(weights: ["c": 3], to: "unet/s-00002-of-00002.safetensors")
    let (one, two) = ("s-00001-of-00002.safetensors", "s-00002-of-00002.safetensors")
    try scratch.write(
      ["weight_map": ["a": one, "b": one, "c": two]], to: "unet/diffusion_pytorch_model.safetensors.index.json")
    return scratch
  }

  @Test func summarises() throws {
    let scratch = try filled()
    let summary = try scratch.open().summary()
    #expect(summary.family == "sd-turbo")
    #expect(summary.schedulerClass == "EulerDiscreteScheduler")
    #expect(summary.components.map(\.name) == ["text_encoder", "unet", "vae"])
    #expect(summary.components.map(\.parameterCount) == [4, 3, 3])
    #expect(summary.components.map(\.tensorCount) == [2, 3, 1])
    #expect(summary.components.map(\.dtypes) == [["I64", "F16"], ["F32"], ["BF16"]])
    #expect(summary.components.map(\.variant) == ["fp16", nil, nil])
    #expect(summary.components[1].files == ["unet/s-00001-of-00002.safetensors", "unet/s-00002-of-00002.safetensors"])
    #expect(summary.parameterCount == 10)
    let sizes = try summary.components.flatMap(\.files).map { name in
      try Data(contentsOf: URL(filePath: "\(scratch.path)/\(name)")).count
    }
    #expect(summary.byteCount == sizes.reduce(0, +))
  }

  @Test func listsEveryFileThatAPictureDependsOn() throws {
    let scratch = try filled()
    let folder = try scratch.open()
    #expect(
      try folder.files().map(folder.relative) == [
        "model_index.json", "tokenizer/vocab.json", "text_encoder/config.json", "scheduler/scheduler_config.json",
        "unet/config.json", "vae/config.json", "text_encoder/model.fp16.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json", "unet/s-00001-of-00002.safetensors",
        "unet/s-00002-of-00002.safetensors", "vae/diffusion_pytorch_model.safetensors",
      ])
  }

  @Test func theFingerprintFollowsTheContents() throws {
    let scratch = try filled()
    let original = try scratch.open().fingerprintInput()
    let elsewhere = try filled()
    #expect(try elsewhere.open().fingerprintInput() == original)
    #expect(try CheckpointFolder(path: scratch.path + "/").fingerprintInput() == original)

    try scratch.write(weights: ["c": 3.5], to: "unet/s-00002-of-00002.safetensors")
    let otherWeight = try scratch.open().fingerprintInput()
    #expect(otherWeight != original)
    try scratch.write(["timestep_spacing": "leading"], to: "scheduler/scheduler_config.json")
    let otherConfig = try scratch.open().fingerprintInput()
    #expect(otherConfig != otherWeight)
    try scratch.write(["!": 1], to: "tokenizer/vocab.json")
    #expect(try scratch.open().fingerprintInput() != otherConfig)
  }

  /// Large files are sampled: the listing stays small, and reaches both ends of the weights.
  @Test func theFingerprintSamplesLargeFiles() throws {
    let scratch = try filled()
    let count = 200_000
    func fingerprint(changing index: Int?) throws -> [UInt8] {
      var values = Array(repeating: Float(1), count: count)
      if let index { values[index] = 2 }
      try scratch.write(
        [.init(name: "v", shape: [count], floats: values)], to: "vae/diffusion_pytorch_model.safetensors")
      return try scratch.open().fingerprintInput()
    }
    let plain = try fingerprint(changing: nil)
    #expect(plain.count < 64 * 4096 + 20_000)
    #expect(try fingerprint(changing: 0) != plain)
    #expect(try fingerprint(changing: count - 1) != plain)
    #expect(try fingerprint(changing: nil) == plain)
  }

  @Test func findsWeightsThatAreNotFinite() throws {
    let scratch = try filled()
    #expect(try scratch.open().nonFiniteWeights(component: "unet") == [])
    try scratch.write(weights: ["a": .nan, "b": -.infinity], to: "unet/s-00001-of-00002.safetensors")
    #expect(try scratch.open().nonFiniteWeights(component: "unet") == ["a", "b"])
  }
}
