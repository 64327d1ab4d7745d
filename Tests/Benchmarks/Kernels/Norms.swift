internal import Tensors

/// Norms and activations: what they read and write, in GB/s, for they should be bound by memory.
func benchmarkNorms(_ device: CPUDevice) throws {
  var numbers = Numbers()
  for (side, channels) in [(512, 128), (256, 256), (64, 320), (32, 640)] {
    let x = numbers.tensor([1, side, side, channels])
    let (scale, bias) = (numbers.tensor([channels]), numbers.tensor([channels]))
    let bytes = 4 * Double(x.count)
    // Read for the statistics, read and written to apply them.
    for activation in [Activation.none, .silu] {
      try report("group norm \(side)²×\(channels) \(activation)", 3 * bytes, device, unit: "GB/s") {
        _ = try device.groupNorm(
          x, groups: 32, epsilon: 1e-6, scale: scale, bias: bias, activation: activation)
      }
    }
    try report("layer norm \(side * side)×\(channels)", 2 * bytes, device, unit: "GB/s") {
      _ = try device.layerNorm(x, epsilon: 1e-5, scale: scale, bias: bias)
    }
  }
  let x = numbers.tensor([1, 512, 512, 128])
  for activation in [Activation.silu, .gelu, .quickGELU] {
    try report("\(activation) 512²×128", 8 * Double(x.count), device, unit: "GB/s") {
      _ = try device.activate(x, activation)
    }
  }
  try report("combine 512²×128", 12 * Double(x.count), device, unit: "GB/s") { _ = try device.combine(1, x, 2, x) }
}
