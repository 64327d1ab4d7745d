internal import Tensors

/// Linear layers of SDXL's UNet and text encoders, fp16 weights multiplied in fp32, or int8 ones.
func benchmarkLinears(_ device: CPUDevice, int8: Bool) throws {
  let shapes = [
    (4096, 320, 320), (1024, 640, 640), (1024, 640, 2560), (256, 1280, 1280), (256, 1280, 5120), (77, 1280, 2048),
    (77, 5120, 1280), (77, 1280, 5120), (77, 3072, 768), (1, 1280, 2816),
  ]
  for (rows, outputs, inputs) in shapes { try benchmarkLinear(device, rows, outputs, inputs, .none, int8: int8) }
  for (rows, outputs, inputs) in [(1024, 5120, 640), (256, 10240, 1280)] {
    try benchmarkLinear(device, rows, outputs, inputs, .geglu, int8: int8)
  }
}

private func benchmarkLinear(
  _ device: CPUDevice, _ rows: Int, _ outputs: Int, _ inputs: Int, _ activation: Activation, int8: Bool
) throws {
  let name = "\(int8 ? "int8" : "linear") \(rows)×\(outputs)×\(inputs)\(activation == .geglu ? " geglu" : "")"
  guard selection.wants(name) else { return }
  var numbers = Numbers()
  let x = numbers.tensor([rows, inputs])
  let parameter = numbers.parameter([outputs, inputs])
  let weights =
    int8
    ? try device.linearWeights(quantized(parameter), bias: nil) : try device.linearWeights(parameter, bias: nil)
  try report(name, 2 * Double(rows) * Double(outputs) * Double(inputs), device) {
    _ = try device.linear(x, weights, activation: activation)
  }
}

private func quantized(_ parameter: Parameter) -> QuantizedParameter {
  let owner = Bytes(count: QuantizedParameter.byteCount(parameter.shape))
  unsafe QuantizedParameter.quantize(parameter, into: owner.bytes)
  return unsafe QuantizedParameter(
    name: parameter.name, shape: parameter.shape, bytes: UnsafeRawBufferPointer(owner.bytes), owner: owner)
}

/// Layers that int8 leaves to integers of 16 bits: 1×1 convolutions of the UNet and the VAE, and the VAE's projections.
func benchmarkRoundedLinears(_ device: CPUDevice) throws {
  for (rows, outputs, inputs) in [
    (262_144, 128, 256), (65_536, 256, 512), (4096, 512, 512), (4096, 320, 640), (1024, 640, 1280), (256, 1280, 2560),
  ] {
    var numbers = Numbers()
    let x = numbers.tensor([rows, inputs])
    let parameter = numbers.parameter([outputs, inputs])
    for arithmetic in [LayerArithmetic.fp32, .int16] {
      let name = "linear \(arithmetic) \(rows)×\(outputs)×\(inputs)"
      guard selection.wants(name) else { continue }
      let weights = try device.linearWeights(parameter, bias: nil, arithmetic)
      try report(
        name, 2 * Double(rows) * Double(outputs) * Double(inputs), device
      ) { _ = try device.linear(x, weights) }
    }
  }
}

/// Attention at the shapes of SDXL's UNet and VAE.
func benchmarkAttention(_ device: CPUDevice) throws {
  for (queries, keys, heads, depth) in [
    (4096, 4096, 1, 512), (4096, 4096, 5, 64), (1024, 1024, 10, 64), (1024, 77, 10, 64), (256, 256, 20, 64),
    (256, 77, 20, 64), (77, 77, 20, 64),
  ] {
    var numbers = Numbers()
    let query = numbers.tensor([1, queries, heads * depth])
    let (key, value) = (numbers.tensor([1, keys, heads * depth]), numbers.tensor([1, keys, heads * depth]))
    let operations = 4 * Double(queries) * Double(keys) * Double(heads * depth)
    for arithmetic in [LayerArithmetic.fp32, .int16] {
      try report("attention \(arithmetic) \(queries)×\(keys), \(heads) of \(depth)", operations, device) {
        _ = try device.attention(query: query, key: key, value: value, heads: heads, causal: false, arithmetic)
      }
    }
  }
}
