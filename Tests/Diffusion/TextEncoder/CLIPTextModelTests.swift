import Diffusion
import Safetensors
import Tensors
import Testing

/// The text encoders against transformers, from token ids.
@Suite struct CLIPTextModelTests {
  /// Contexts of the expected file's ids, one per encoder, and the pooled vectors.
  private func encode(_ model: GoldenModel, _ device: any Device) throws -> (contexts: [Tensor], pooled: Tensor?) {
    let (checkpoint, expected) = (try model.checkpoint(), try model.expected("text"))
    var contexts: [Tensor] = []
    var pooled: Tensor?
    for name in checkpoint.index.weightComponents where name.hasPrefix("text_encoder") {
      let store = try checkpoint.weights(component: name)
      let encoder = try CLIPTextModel(
        checkpoint.config(component: name), weights: store, hasProjection: name == "text_encoder_2", device: device)
      try store.finish()
      let field = name == "text_encoder" ? "input_ids" : "input_ids_2"
      let ids = try expected.integers(field).map { Int32($0) }
      let rows = stride(from: 0, to: ids.count, by: 77).map { Array(ids[$0..<$0 + 77]) }
      let isXL = checkpoint.index.family == .sdxlTurbo
      let output = try encoder(
        rows, readout: isXL ? .penultimateLayer : .lastLayerNormalized, meter: .unobserved)
      contexts.append(output.context)
      pooled = output.pooled ?? pooled
    }
    return (contexts, pooled)
  }

  /// Joins `[N, T, A]` and `[N, T, B]` without the device under test.
  private func joined(_ contexts: [Tensor]) -> [Float] {
    let rows = contexts.map { context in
      let (width, elements) = (context.shape[2], context.array)
      return stride(from: 0, to: elements.count, by: width).map { Array(elements[$0..<$0 + width]) }
    }
    return rows[0].indices.flatMap { row in rows.flatMap { $0[row] } }
  }

  @Test(arguments: GoldenModel.all, GoldenDevice.allCases)
  func contextAndPooledVectorMatch(_ model: GoldenModel, _ device: GoldenDevice) throws {
    let expected = try model.expected("text")
    let (contexts, pooled) = try encode(model, device.make())
    expectGolden(
      joined(contexts), try expected.floats("prompt_embeds"), shape: try expected.tensor("prompt_embeds").shape,
      "\(model.name) prompt_embeds \(device.rawValue)")
    if let pooled {
      expectGolden(
        pooled.array, try expected.floats("pooled_prompt_embeds"), shape: pooled.shape,
        "\(model.name) pooled_prompt_embeds \(device.rawValue)")
    }
    #expect((pooled != nil) == (model.name == "sdxl"))
  }

  /// Shows that the comparison above can fail: the commonest mistake with two encoders is their order.
  @Test func encodersInTheWrongOrderDoNotMatch() throws {
    let model = GoldenModel(name: "sdxl")
    let expected = try model.expected("text")
    let (contexts, _) = try encode(model, ReferenceDevice())
    let difference = LargestDifference(
      joined(contexts.reversed()), try expected.floats("prompt_embeds"),
      shape: try expected.tensor("prompt_embeds").shape)
    #expect(difference.relative > 100 * stageTolerance)
  }

  /// A tokenizer of another model must not read past the embedding table.
  @Test func idsOutsideTheVocabularyAreRefused() throws {
    let checkpoint = try GoldenModel(name: "sd").checkpoint()
    let encoder = try CLIPTextModel(
      checkpoint.config(component: "text_encoder"), weights: checkpoint.weights(component: "text_encoder"),
      hasProjection: false, device: ReferenceDevice())
    for ids in [[[Int32](repeating: 49407, count: 77)], [[-1]], [[Int32](repeating: 0, count: 78)], [[0], [0, 1]]] {
      #expect {
        try encoder(ids, readout: .lastLayerNormalized, meter: .unobserved)
      } throws: {
        ($0 as? DiffusionError)?.code == .checkpoint
      }
    }
  }
}
