import Diffusion
import Safetensors
import Tensors
import Testing

/// The UNet against diffusers: a batch of two, sizes that do not halve evenly, both ways of storing projections.
@Suite struct UNet2DConditionModelTests {
  @Test(arguments: GoldenModel.all, GoldenDevice.allCases)
  func noisePredictionMatches(_ model: GoldenModel, _ device: GoldenDevice) throws {
    let checkpoint = try model.checkpoint()
    let store = try checkpoint.weights(component: "unet")
    let unet = try UNet2DConditionModel(
      checkpoint.config(component: "unet"), weights: store, device: device.make())
    try store.finish()
    let files = try model.files("unet_")
    #expect(!files.isEmpty)
    for file in files {
      let expected = try model.expected(file)
      func tensor(_ name: String) throws -> Tensor {
        Tensor(try expected.floats(name), shape: try expected.tensor(name).shape)
      }
      let shape = try expected.tensor("sample").shape
      var added: TextConditioning.AddedConditioning?
      if expected.tensors["text_embeds"] != nil {
        let ids = try expected.floats("time_ids")
        added = .init(textEmbeds: try tensor("text_embeds"), timeIDs: [Array(ids[..<6]), Array(ids[6...])])
      }
      let output = try unet(
        Tensor(channelsFirst: expected.floats("sample"), shape: [shape[0], shape[2], shape[3], shape[1]]),
        timestep: try expected.floats("timestep")[0],
        texts: [TextConditioning(context: try tensor("context"), added: added)], meter: .unobserved)
      expectGolden(
        output.channelsFirst, try expected.floats("output"), shape: shape,
        "\(model.name) \(file) \(device.rawValue)")
    }
  }
}
