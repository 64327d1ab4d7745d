internal import Tensors

/// `torch.nn.Conv2d` with a square kernel, channels-last: `[N, H, W, in]` → `[N, H', W', out]`.
struct Conv2D: Sendable {
  private let device: any Device
  private let packed: Conv2DWeights

  init(_ weights: ModuleWeights, _ inChannels: Int, _ outChannels: Int, kernel: Int = 3) throws {
    device = weights.device
    packed = try weights.convolution(inChannels, outChannels, kernel: kernel)
  }

  /// `conv(x) + channelAddend[n, out] + residual`. The default geometry keeps the size.
  /// - Parameter norm: what x goes through first, with its activation: `conv(activation(norm(x)))`.
  func callAsFunction(
    _ x: Tensor, _ geometry: Conv2DGeometry? = nil, after norm: GroupNormalization? = nil,
    channelAddend: Tensor? = nil, residual: Tensor? = nil
  ) throws -> Tensor {
    let geometry = geometry ?? Conv2DGeometry(padding: packed.kernelHeight / 2)
    return try device.conv2D(
      x, normalization: norm, packed, geometry, channelAddend: channelAddend, residual: residual)
  }

  /// Multiply-accumulates for `pixels` positions of the output.
  func cost(pixels: Int) -> Double {
    let kernel = packed.kernelHeight * packed.kernelWidth
    return Double(pixels) * Double(kernel * packed.inChannels) * Double(packed.outChannels)
  }
}
