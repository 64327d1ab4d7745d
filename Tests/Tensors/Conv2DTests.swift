import Tensors
import Testing

@Suite struct Conv2DTests {
  struct Kernel: Sendable, CustomTestStringConvertible {
    let height: Int, width: Int, stride: Int
    /// Top, left, bottom, right.
    let padding: [Int]
    var testDescription: String { "\(height)×\(width) stride \(stride) padding \(padding)" }

    var geometry: Conv2DGeometry {
      var geometry = Conv2DGeometry(stride: stride, padding: 0)
      (geometry.top, geometry.left, geometry.bottom, geometry.right) = (padding[0], padding[1], padding[2], padding[3])
      return geometry
    }
  }

  static let kernels = [
    Kernel(height: 1, width: 1, stride: 1, padding: [0, 0, 0, 0]),
    Kernel(height: 1, width: 1, stride: 2, padding: [0, 0, 0, 0]),
    Kernel(height: 1, width: 1, stride: 1, padding: [1, 0, 0, 2]),
    Kernel(height: 3, width: 3, stride: 1, padding: [1, 1, 1, 1]),
    Kernel(height: 3, width: 3, stride: 2, padding: [1, 1, 1, 1]),
    Kernel(height: 3, width: 3, stride: 2, padding: [0, 0, 1, 1]),
    Kernel(height: 3, width: 3, stride: 1, padding: [2, 0, 0, 3]),
    Kernel(height: 3, width: 3, stride: 1, padding: [4, 4, 4, 4]),
    Kernel(height: 2, width: 5, stride: 1, padding: [0, 2, 1, 2]),
    Kernel(height: 4, width: 1, stride: 3, padding: [3, 0, 3, 0]),
  ]

  @Test(arguments: kernels, DType.allCases)
  func everySizeAndFusion(_ kernel: Kernel, _ dtype: DType) throws {
    var numbers = Numbers(seed: 4)
    let geometry = kernel.geometry
    for (batch, height, width) in [(1, 1, 1), (2, 2, 3), (1, 5, 4), (2, 7, 7)] {
      let outHeight = (height + geometry.top + geometry.bottom - kernel.height) / kernel.stride + 1
      let outWidth = (width + geometry.left + geometry.right - kernel.width) / kernel.stride + 1
      guard height + geometry.top + geometry.bottom >= kernel.height,
        width + geometry.left + geometry.right >= kernel.width
      else { continue }
      for (inputs, outputs) in [(1, 1), (3, 2), (8, 19)] {
        let x = numbers.tensor([batch, height, width, inputs])
        let weight = numbers.parameter([outputs, inputs, kernel.height, kernel.width], dtype)
        let bias = numbers.parameter([outputs], dtype)
        let addend = numbers.tensor([batch, outputs])
        let residual = numbers.tensor([batch, outHeight, outWidth, outputs])
        for fused in 0..<8 {
          try judge(
            "[\(batch), \(height), \(width), \(inputs)] → \(outputs), fused \(fused)",
            depth: inputs * kernel.height * kernel.width
          ) { device in
            try device.conv2D(
              x, device.conv2DWeights(weight, bias: fused & 1 != 0 ? bias : nil), geometry,
              channelAddend: fused & 2 != 0 ? addend : nil, residual: fused & 4 != 0 ? residual : nil)
          }
        }
      }
    }
  }

  /// Doubling, a size that does not divide, shrinking, one direction only, and with stride.
  @Test(arguments: [(6, 8, 1), (7, 9, 1), (2, 3, 1), (3, 8, 1), (5, 7, 2)])
  func resizeInFront(height: Int, width: Int, stride: Int) throws {
    var numbers = Numbers(seed: 5)
    let x = numbers.tensor([2, 3, 4, 5])
    for (kernelHeight, kernelWidth, padding) in [(3, 3, 1), (1, 1, 0), (2, 2, 0)] {
      let weight = numbers.parameter([6, 5, kernelHeight, kernelWidth], .float16)
      try judge("to \(height) × \(width)", depth: 45) { device in
        try device.conv2D(
          x, device.conv2DWeights(weight, bias: nil),
          Conv2DGeometry(stride: stride, padding: padding, resizedTo: (height, width)))
      }
    }
  }

  /// More channels than one stretch of the summed index takes, more outputs than one group of panels: kernels of one tap, of nine,
  /// and of so many that few channels make a stretch.
  @Test(arguments: [(1, 2, 700, 40), (3, 2, 130, 300), (3, 1, 15, 33), (7, 3, 30, 17), (22, 1, 2, 3)])
  func stretchesAndGroups(side: Int, stride: Int, inputs: Int, outputs: Int) throws {
    var numbers = Numbers(seed: 45)
    let x = numbers.tensor([2, 5, 4, inputs])
    let weight = numbers.parameter([outputs, inputs, side, side], .float16)
    let residual = try Trial.reference.conv2D(
      x, Trial.reference.conv2DWeights(weight, bias: nil), Conv2DGeometry(stride: stride, padding: side / 2 + 9))
    try judge("\(side)×\(side) stride \(stride), \(inputs) → \(outputs)", depth: side * side * inputs) {
      try $0.conv2D(
        x, $0.conv2DWeights(weight, bias: nil), Conv2DGeometry(stride: stride, padding: side / 2 + 9),
        residual: residual)
    }
  }

  /// A pixel is the same, bit by bit, in any batch.
  @Test func batchDoesNotMatter() throws {
    var numbers = Numbers(seed: 46)
    let pictures = (0..<3).map { _ in numbers.tensor([1, 9, 10, 7]) }
    let weight = numbers.parameter([40, 7, 3, 3], .float16)
    let together = Tensor(pictures.flatMap(\.array), shape: [3, 9, 10, 7])
    for device in Trial.devices {
      let weights = try device.conv2DWeights(weight, bias: nil)
      let geometry = Conv2DGeometry(stride: 2, padding: 1)
      let alone = try pictures.flatMap { try device.conv2D($0, weights, geometry).array }
      #expect(try device.conv2D(together, weights, geometry).array == alone)
    }
  }

  /// Several parts of the usual size.
  @Test func usualParts() throws {
    var numbers = Numbers(seed: 6)
    let x = numbers.tensor([1, 40, 33, 4])
    let weight = numbers.parameter([20, 4, 3, 3], .float16)
    try judge("40 × 33", depth: 36) {
      try $0.conv2D(x, $0.conv2DWeights(weight, bias: nil), Conv2DGeometry(padding: 1))
    }
  }
}
