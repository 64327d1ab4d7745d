internal import Tensors

/// 3×3 convolutions, with group norm and SiLU in front, upsampled and with stride 2: GFLOP/s are those of the direct sum, whatever
/// was multiplied.
func benchmarkConvolutions(_ device: CPUDevice, _ arithmetic: LayerArithmetic) throws {
  let shapes = [
    (512, 128, 128), (512, 256, 128), (256, 256, 256), (128, 512, 512), (64, 512, 512), (64, 320, 320), (32, 640, 640),
    (16, 1280, 1280), (16, 2560, 1280), (512, 128, 3), (64, 4, 320), (64, 320, 4),
  ]
  for (side, inputs, outputs) in shapes {
    let name = "conv \(arithmetic) \(side)² \(inputs)→\(outputs)"
    guard selection.wants(name) else { continue }
    var numbers = Numbers()
    let x = numbers.tensor([1, side, side, inputs])
    let weights = try device.conv2DWeights(numbers.parameter([outputs, inputs, 3, 3]), bias: nil, arithmetic)
    let norm = GroupNormalization(
      groups: inputs < 32 ? 1 : 32, epsilon: 1e-6, scale: numbers.tensor([inputs]), bias: numbers.tensor([inputs]),
      activation: .silu)
    let operations = 18 * Double(side * side) * Double(inputs * outputs)
    try report(name, operations, device) {
      _ = try device.conv2D(x, weights, Conv2DGeometry(padding: 1))
    }
    try report("  with norm and silu", operations, device) {
      _ = try device.conv2D(
        x, normalization: norm, weights, Conv2DGeometry(padding: 1), channelAddend: nil, residual: nil)
    }
  }
  for (side, channels) in [(256, 256), (128, 512), (64, 640), (32, 1280)] {
    let name = "upsampled \(arithmetic) \(side)² \(channels)→\(channels)"
    guard selection.wants(name) else { continue }
    var numbers = Numbers()
    let x = numbers.tensor([1, side / 2, side / 2, channels])
    let operations = 2 * Double(side * side) * Double(channels * channels)
    let weights = try device.conv2DWeights(numbers.parameter([channels, channels, 3, 3]), bias: nil, arithmetic)
    try report(name, 9 * operations, device) {
      _ = try device.conv2D(x, weights, Conv2DGeometry(padding: 1, resizedTo: (side, side)))
    }
    // What would compute the same from the small map: four kernels of 2×2, one for each of the pixels that come of a pixel.
    let quarters = try device.conv2DWeights(numbers.parameter([4 * channels, channels, 2, 2]), bias: nil)
    try report("  as four of 2×2", 9 * operations, device) {
      _ = try device.conv2D(x, quarters, Conv2DGeometry(padding: 1))
    }
  }
  guard arithmetic == .fp32 else { return }
  for (side, inputs, outputs) in [(64, 320, 320), (32, 640, 640), (512, 128, 128), (128, 512, 512)] {
    let name = "stride 2, \(side)² \(inputs)→\(outputs)"
    guard selection.wants(name) else { continue }
    var numbers = Numbers()
    let x = numbers.tensor([1, side, side, inputs])
    let weights = try device.conv2DWeights(numbers.parameter([outputs, inputs, 3, 3]), bias: nil)
    try report(name, 4.5 * Double(side * side) * Double(inputs * outputs), device) {
      _ = try device.conv2D(x, weights, Conv2DGeometry(stride: 2, padding: 1))
    }
  }
}
