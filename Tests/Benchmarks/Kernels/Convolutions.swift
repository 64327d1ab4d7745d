internal import Tensors

/// 3×3 convolutions, group norm and SiLU in front: GFLOP/s are those of the direct sum, whatever was multiplied.
func benchmarkConvolutions(_ device: CPUDevice) throws {
  let shapes = [
    (512, 128, 128), (512, 256, 128), (256, 256, 256), (128, 512, 512), (64, 512, 512), (64, 320, 320), (32, 640, 640),
    (16, 1280, 1280), (16, 2560, 1280), (512, 128, 3), (64, 4, 320), (64, 320, 4),
  ]
  for (side, inputs, outputs) in shapes {
    var numbers = Numbers()
    let x = numbers.tensor([1, side, side, inputs])
    let weights = try device.conv2DWeights(numbers.parameter([outputs, inputs, 3, 3]), bias: nil)
    let norm = GroupNormalization(
      groups: inputs < 32 ? 1 : 32, epsilon: 1e-6, scale: numbers.tensor([inputs]), bias: numbers.tensor([inputs]),
      activation: .silu)
    let operations = 18 * Double(side * side) * Double(inputs * outputs)
    try report("conv \(side)² \(inputs)→\(outputs)", operations, device) {
      _ = try device.conv2D(x, weights, Conv2DGeometry(padding: 1))
    }
    try report("  with norm and silu", operations, device) {
      _ = try device.conv2D(
        x, normalization: norm, weights, Conv2DGeometry(padding: 1), channelAddend: nil, residual: nil)
    }
  }
}
