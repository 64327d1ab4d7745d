import Diffusion
import Safetensors
import Tensors
import Testing

/// The autoencoder against diffusers, both halves, on a picture that is not square.
@Suite struct AutoencoderKLTests {
  @Test(arguments: GoldenModel.all, GoldenDevice.allCases)
  func bothHalvesMatch(_ model: GoldenModel, _ device: GoldenDevice) throws {
    let checkpoint = try model.checkpoint()
    let store = try checkpoint.weights(component: "vae")
    let vae = try AutoencoderKL(checkpoint.config(component: "vae"), weights: store, device: device.make())
    try store.finish()
    let expected = try model.expected("vae_72x40")
    func map(_ name: String) throws -> Tensor {
      let shape = try expected.tensor(name).shape
      return Tensor(channelsFirst: try expected.floats(name), shape: [shape[0], shape[2], shape[3], shape[1]])
    }
    func compare(_ found: Tensor, _ name: String) throws {
      expectGolden(
        found.channelsFirst, try expected.floats(name), shape: try expected.tensor(name).shape,
        "\(model.name) vae \(name) \(device.rawValue)")
    }
    let posterior = try vae.encode(map("image"), meter: .unobserved)
    try compare(posterior.mean, "mean")
    try compare(posterior.logVariance, "logvar")
    try compare(vae.decode(map("latents"), meter: .unobserved), "decoded")
  }
}
