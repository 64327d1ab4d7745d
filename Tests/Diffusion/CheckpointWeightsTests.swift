import Diffusion
import Foundation
import Safetensors
import Tensors
import Testing

/// Which files a component's weights come from, and under which names.
@Suite struct CheckpointWeightsTests {
  let scratch: CheckpointScratch
  let base = "unet/diffusion_pytorch_model"

  init() throws { scratch = try CheckpointScratch(.sdxlTurbo) }

  /// Takes `a` of the UNet; files write their own value into it.
  private func taken(variant: String? = nil) throws -> Float {
    let store = try scratch.open(variant: variant).weights(component: "unet")
    let value = try first(store.take("a", shape: [1]))
    try store.finish()
    return value
  }

  private func first(_ parameter: Parameter) -> Float {
    unsafe parameter.withBytes { bytes in unsafe bytes.loadUnaligned(as: Float.self) }
  }

  @Test func prefersPlainFilesUnlessTold() throws {
    try scratch.write(weights: ["a": 16], to: "\(base).fp16.safetensors")
    #expect(try taken() == 16)  // The only one there is.
    try scratch.write(weights: ["a": 32], to: "\(base).safetensors")
    #expect(try taken() == 32)
    #expect(try taken(variant: "fp16") == 16)
    let error = try #require(try checkpointError { _ = try taken(variant: "bf16") })
    #expect(error.message == #"has no weights of the variant "bf16"; there are: plain, fp16"#)
  }

  @Test func doesNotGuessAmongVariants() throws {
    try scratch.write(weights: ["a": 16], to: "\(base).fp16.safetensors")
    try scratch.write(weights: ["a": 17], to: "\(base).non_ema.safetensors")
    let error = try #require(try checkpointError { _ = try taken() })
    #expect(error.message.contains("name one of fp16, non_ema"))
    #expect(try taken(variant: "non_ema") == 17)
  }

  /// Every place where a release of the libraries has put the variant's name.
  @Test(arguments: [
    (nil, "safetensors.index.json", "-00001-of-00002.safetensors"),
    ("fp16", "safetensors.index.fp16.json", ".fp16-00001-of-00002.safetensors"),
    ("fp16", "safetensors.fp16.index.json", "-00001-of-00002.fp16.safetensors"),
    ("fp16", "fp16.safetensors.index.json", ".fp16-00001-of-00002.safetensors"),
  ]) func readsShards(variant: String?, index: String, shard: String) throws {
    let other = shard.replacingOccurrences(of: "00001-of", with: "00002-of")
    try scratch.write(weights: ["a": 1, "b": 2], to: "\(base)\(shard)")
    try scratch.write(weights: ["c": 3], to: "\(base)\(other)")
    let files = ["\(base)\(shard)", "\(base)\(other)"].map { String($0.dropFirst("unet/".count)) }
    try scratch.write(
      ["metadata": ["total_size": 12], "weight_map": ["a": files[0], "b": files[0], "c": files[1]]],
      to: "\(base).\(index)")
    for wanted in [nil, variant] {
      let store = try scratch.open(variant: wanted).weights(component: "unet")
      for (name, value) in [("a", Float(1)), ("b", 2), ("c", 3)] {
        #expect(try first(store.take(name, shape: [1])) == value)
      }
      try store.finish()
    }
  }

  @Test func refusesAnIndexThatDisagreesWithItsShards() throws {
    let shards = ["s1.safetensors", "s2.safetensors"]
    func message(_ map: [String: String]) throws -> CheckpointError? {
      try scratch.write(["weight_map": map], to: "\(base).safetensors.index.json")
      return try checkpointError { _ = try scratch.open().weights(component: "unet") }
    }
    try scratch.write(weights: ["a": 1, "b": 2], to: "unet/s1.safetensors")
    #expect(
      try message(["a": shards[0], "b": shards[0], "c": shards[1]])?.path == "\(scratch.path)/unet/s2.safetensors")
    #expect(try message(["a": shards[0]])?.message.hasPrefix("tensor b is not in ") == true)
    #expect(
      try message(["a": shards[0], "b": shards[0], "c": shards[0]])?.message
        == "tensor c is not in s1.safetensors, as weight_map says")
    try scratch.write(weights: ["b": 2, "c": 3], to: "unet/s2.safetensors")
    #expect(
      try message(["a": shards[0], "b": shards[0], "c": shards[1]])?.message == "tensor b is also in s1.safetensors")
    try scratch.write(weights: ["c": 3], to: "unet/s2.safetensors")
    #expect(
      try message(["a": shards[1], "b": shards[0], "c": shards[1]])?.message.hasSuffix(
        "says that it is in s2.safetensors")
        == true)
    #expect(try message([:])?.message == "weight_map is empty")
    #expect(try message(["a": shards[0], "b": shards[0], "c": shards[1]]) == nil)
  }

  @Test(arguments: [
    "../vae/x.safetensors", "/etc/x.safetensors", "a/x.safetensors", "..safetensors", "x.bin", "", "a\\x.safetensors",
  ])
  func refusesShardsOutsideTheFolder(name: String) throws {
    try scratch.write(["weight_map": ["a": name]], to: "\(base).safetensors.index.json")
    let error = try #require(try checkpointError { _ = try scratch.open().weights(component: "unet") })
    #expect(error.code == .invalidWeights)
    #expect(error.message.contains("expected the bare name"), "\(error)")
  }

  @Test func saysWhatToDoWithoutSafetensors() throws {
    func message() throws -> String? { try checkpointError { _ = try taken() }?.message }
    #expect(try message()?.contains("has no diffusion_pytorch_model.safetensors") == true)
    try scratch.write(text: "", to: "\(base).bin")
    #expect(try message()?.contains("Pickled weights can run code and are not read") == true)
    try FileManager.default.removeItem(atPath: "\(scratch.path)/\(base).bin")
    try scratch.write(weights: ["a": 1], to: "\(base)-00001-of-00002.safetensors")
    #expect(try message()?.contains("but not the index diffusion_pytorch_model.safetensors.index.json") == true)
    try scratch.write(text: "not weights", to: "\(base).safetensors")
    let error = try #require(try checkpointError { _ = try taken() })
    #expect(error.code == .invalidWeights)
    #expect(error.path == "\(scratch.path)/\(base).safetensors")
    #expect(error.cause is SafetensorsError)
  }

  @Test(arguments: ["", "text_model."]) func readsBothTextEncoderSpellings(prefix: String) throws {
    try scratch.write(
      [
        .init(name: "\(prefix)embeddings.token_embedding.weight", shape: [2, 1], halves: [1, 2]),
        .init(name: "\(prefix)embeddings.position_ids", shape: [1, 2], integers: [0, 1] as [Int64]),
        .init(name: "text_projection.weight", shape: [1, 1], brainFloats: [3]),
      ], to: "text_encoder_2/model.fp16.safetensors")
    let store = try scratch.open().weights(component: "text_encoder_2")
    let table = try store.take("embeddings.token_embedding.weight", shape: [2, 1])
    #expect(table.dtype == .float16)
    #expect(table.name == "\(prefix)embeddings.token_embedding.weight")
    #expect(store.remaining == ["text_projection.weight"])
    #expect(try store.takeIfPresent("text_projection.weight", shape: [1, 1])?.dtype == .bfloat16)
    #expect(try store.takeIfPresent("text_projection.bias", shape: [1]) == nil)
    try store.finish()
  }

  @Test func refusesOneLayerUnderTwoNames() throws {
    try scratch.write(
      weights: ["text_model.final_layer_norm.bias": 1, "final_layer_norm.bias": 1], to: "text_encoder/model.safetensors"
    )
    let error = try #require(try checkpointError { _ = try scratch.open().weights(component: "text_encoder") })
    #expect(error.message.contains("final_layer_norm.bias and text_model.final_layer_norm.bias"))
  }

  @Test func translatesTheOldAttentionOfTheVAE() throws {
    let block = "decoder.mid_block.attentions.0"
    let names = ["query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"]
    var entries: [SafetensorsWriter.Entry] = [
      .init(name: "\(block).group_norm.weight", shape: [2], floats: [1, 1]),
      .init(name: "decoder.value.weight", shape: [1], floats: [9]),
    ]
    for (index, old) in names.keys.sorted().enumerated() {
      // Some files keep the 1×1 convolution that the layer once was.
      let shape = index % 2 == 0 ? [2, 2] : [2, 2, 1, 1]
      entries.append(
        .init(name: "\(block).\(old).weight", shape: shape, floats: Array(repeating: Float(index), count: 4)))
      entries.append(.init(name: "\(block).\(old).bias", shape: [2], floats: [0, 0]))
    }
    try scratch.write(entries, to: "vae/diffusion_pytorch_model.safetensors")
    let store = try scratch.open().weights(component: "vae")
    for (index, old) in names.keys.sorted().enumerated() {
      let name = "\(block).\(try #require(names[old]))"
      let weight = try store.take("\(name).weight", shape: [2, 2])
      #expect(weight.shape == [2, 2])
      #expect(first(weight) == Float(index))
      _ = try store.take("\(name).bias", shape: [2])
    }
    #expect(store.remaining == ["\(block).group_norm.weight", "decoder.value.weight"])
  }

  @Test func everyTensorIsTakenExactlyOnce() throws {
    try scratch.write(
      [
        .init(name: "w", shape: [2, 3], floats: Array(repeating: 0, count: 6)),
        .init(name: "ids", shape: [1], integers: [1] as [Int32]),
      ] + (0..<6).map { .init(name: "extra\($0)", shape: [1], floats: [0]) }, to: "\(base).safetensors")
    let file = "\(scratch.path)/\(base).safetensors"
    let store = try scratch.open().weights(component: "unet")
    let missing = try #require(try checkpointError { _ = try store.take("v", shape: [3]) })
    #expect(missing.code == .missingTensor)
    #expect(missing.message.hasPrefix("has no tensor v, expected one of shape [3]"))
    let shape = try #require(try checkpointError { _ = try store.take("w", shape: [3, 2]) })
    #expect(shape.code == .unexpectedTensor)
    #expect(shape.path == file)
    #expect(shape.message.hasPrefix("tensor w has the shape [2, 3], expected [3, 2]"))
    // Five extents of equal count are no linear layer either.
    let other = try scratch.open().weights(component: "unet")
    #expect(try checkpointError { _ = try other.take("w", shape: [6]) } != nil)

    let again = try scratch.open().weights(component: "unet")
    _ = try again.take("w", shape: [2, 3])
    let twice = try #require(try checkpointError { _ = try again.take("w", shape: [2, 3]) })
    #expect(twice.message == "tensor w is taken by two layers")
    let type = try #require(try checkpointError { _ = try again.take("ids", shape: [1]) })
    #expect(type.message == "tensor ids is I32, expected F32, F16, BF16")
    let unused = try #require(try checkpointError { try again.finish() })
    #expect(unused.code == .unusedTensor)
    #expect(unused.path == file)
    #expect(
      unused.message.hasPrefix(
        "has 6 tensors that no layer of the unet uses: extra0, extra1, extra2, extra3, extra4, …"))
  }
}
