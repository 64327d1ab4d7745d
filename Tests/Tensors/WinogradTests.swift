import Tensors
import Testing

/// 3×3 convolutions that go through frequencies: sixteen input channels and more, maps that fill the tiles well enough.
@Suite struct WinogradTests {
  struct Layer: Sendable, CustomTestStringConvertible {
    let inputs: Int, outputs: Int, groups: Int
    var testDescription: String { "\(inputs) → \(outputs)" }
  }

  /// One register and less, several, a panel and its neighbours, a stretch of channels and one more.
  static let layers = [
    Layer(inputs: 16, outputs: 1, groups: 4), Layer(inputs: 17, outputs: 33, groups: 17),
    Layer(inputs: 24, outputs: 16, groups: 2), Layer(inputs: 40, outputs: 7, groups: 8),
    Layer(inputs: 32, outputs: 64, groups: 32), Layer(inputs: 513, outputs: 3, groups: 27),
  ]

  /// The factor of ``judge(_:depth:factor:sourceLocation:_:)``. Rounded operands are off by more than fp32's. Of K channels that are rounded together
  /// a step is ‖x‖ / 32,700 and its error a √12th of that: relative to sums of independent numbers, both operands together, 1.2e-5 · √K.
  /// The transform to pixels makes five times as much of it, and three times more at the corners of a tile (computed in double
  /// precision from the matrices); among thousands of elements the worst is five deviations away: 9e-4 · √K. A factor of 1 allows
  /// √K · 3.6e-7 of the largest element, which is two and a half deviations at least: 9e-4 / 9e-7 = 1000.
  static func factor(_ arithmetic: LayerArithmetic) -> Float { arithmetic == .fp32 ? 4 : 1000 }

  /// Whole tiles, tiles cut below and to the right, one tile, several blocks.
  @Test(arguments: layers, [LayerArithmetic.fp32, .int16])
  func everySizeAndFusion(_ layer: Layer, _ arithmetic: LayerArithmetic) throws {
    var numbers = Numbers(seed: 40)
    let (inputs, outputs) = (layer.inputs, layer.outputs)
    for (batch, height, width, dtype) in [
      (1, 4, 4, DType.float16), (2, 5, 7, .float32), (1, 9, 13, .bfloat16), (3, 8, 4, .float16),
    ] {
      let x = numbers.tensor([batch, height, width, inputs])
      let weight = numbers.parameter([outputs, inputs, 3, 3], dtype)
      let bias = numbers.parameter([outputs], dtype)
      let addend = numbers.tensor([batch, outputs])
      let residual = numbers.tensor([batch, height, width, outputs])
      let (scale, shift) = (numbers.tensor([inputs]), numbers.tensor([inputs]))
      for fused in 0..<8 {
        let norm = GroupNormalization(
          groups: layer.groups, epsilon: 1e-5, scale: scale, bias: shift, activation: fused < 4 ? .silu : .none)
        try judge(
          "[\(batch), \(height), \(width)] fused \(fused)", depth: 9 * inputs, factor: Self.factor(arithmetic)
        ) { device in
          try device.conv2D(
            x, normalization: fused & 3 == 0 ? nil : norm,
            device.conv2DWeights(weight, bias: fused & 1 != 0 ? bias : nil, arithmetic), Conv2DGeometry(padding: 1),
            channelAddend: fused & 2 != 0 ? addend : nil, residual: fused & 4 != 0 ? residual : nil)
        }
      }
    }
  }

  /// Padding of every width, and the resize that the decoder's upsampling puts in front.
  @Test func everyGeometry() throws {
    var numbers = Numbers(seed: 41)
    let x = numbers.tensor([2, 6, 5, 20])
    let weight = numbers.parameter([18, 20, 3, 3], .float16)
    var geometries = [
      Conv2DGeometry(padding: 0), Conv2DGeometry(padding: 1), Conv2DGeometry(padding: 3),
      Conv2DGeometry(padding: 1, resizedTo: (12, 10)), Conv2DGeometry(padding: 1, resizedTo: (11, 9)),
      Conv2DGeometry(padding: 0, resizedTo: (6, 17)),
    ]
    var lopsided = Conv2DGeometry(padding: 0)
    (lopsided.top, lopsided.left, lopsided.bottom, lopsided.right) = (0, 2, 1, 3)
    geometries.append(lopsided)
    for geometry in geometries {
      try judge("\(geometry)", depth: 180) { device in
        try device.conv2D(x, device.conv2DWeights(weight, bias: nil), geometry)
      }
    }
  }

  /// Maps that are doubled, by quarters: gaps between pixels that fill tiles and that do not, every fusion, outputs that end within a
  /// register, both below and above the size from which on quarters are used.
  @Test(arguments: [(1, 1), (4, 9), (5, 3), (9, 14), (41, 40)], [LayerArithmetic.fp32, .int16])
  func doubledMaps(_ size: (height: Int, width: Int), _ arithmetic: LayerArithmetic) throws {
    let (height, width) = size
    var numbers = Numbers(seed: 49)
    for (inputs, outputs) in height > 40 ? [(16, 16)] : [(16, 32), (21, 7), (40, 49)] {
      let x = numbers.tensor([2, height, width, inputs])
      let weight = numbers.parameter([outputs, inputs, 3, 3], .float16)
      let bias = numbers.parameter([outputs], .float16)
      let residual = numbers.tensor([2, 2 * height, 2 * width, outputs])
      let norm = GroupNormalization(
        groups: 1, epsilon: 1e-5, scale: numbers.tensor([inputs]), bias: numbers.tensor([inputs]), activation: .silu)
      for isFused in [false, true] {
        try judge(
          "\(height)×\(width), \(inputs) → \(outputs), fused \(isFused)", depth: 9 * inputs,
          factor: Self.factor(arithmetic)
        ) { device in
          try device.conv2D(
            x, normalization: isFused ? norm : nil,
            device.conv2DWeights(weight, bias: isFused ? bias : nil, arithmetic),
            Conv2DGeometry(padding: 1, resizedTo: (2 * height, 2 * width)), channelAddend: nil,
            residual: isFused ? residual : nil)
        }
      }
    }
  }

  /// A picture is the same, bit by bit, whoever shares the batch with it.
  @Test(arguments: [LayerArithmetic.fp32, .int16])
  func batchDoesNotMatter(_ arithmetic: LayerArithmetic) throws {
    var numbers = Numbers(seed: 42)
    let pictures = (0..<3).map { _ in numbers.tensor([1, 9, 10, 32]) }
    let weight = numbers.parameter([40, 32, 3, 3], .float16)
    let together = Tensor(pictures.flatMap(\.array), shape: [3, 9, 10, 32])
    for device in Trial.devices {
      let weights = try device.conv2DWeights(weight, bias: nil, arithmetic)
      let alone = try pictures.flatMap { try device.conv2D($0, weights, Conv2DGeometry(padding: 1)).array }
      #expect(try device.conv2D(together, weights, Conv2DGeometry(padding: 1)).array == alone)
    }
  }

  /// The pieces in which a map is worked through do not matter either: only the instruction set may.
  @Test(arguments: [LayerArithmetic.fp32, .int16])
  func piecesDoNotMatter(_ arithmetic: LayerArithmetic) throws {
    var numbers = Numbers(seed: 43)
    let x = numbers.tensor([1, 13, 21, 48])
    let weight = numbers.parameter([70, 48, 3, 3], .float16)
    let results = try Trial.devices.prefix(5).map { device in
      try device.conv2D(x, device.conv2DWeights(weight, bias: nil, arithmetic), Conv2DGeometry(padding: 1)).array
    }
    #expect(results.allSatisfy { $0 == results[0] })
  }

  /// A map that is small and one that is not: who shares what must not change a bit of the result.
  @Test(arguments: [LayerArithmetic.fp32, .int16])
  func smallMapsAreLikeLargeOnes(_ arithmetic: LayerArithmetic) throws {
    var numbers = Numbers(seed: 47)
    let weight = numbers.parameter([70, 150, 3, 3], .float16)
    let x = numbers.tensor([1, 13, 18, 150])
    for set in Processor.current.instructionSets {
      let results = try [0, 1000].flatMap { smallMap in
        try [1, 64, 1000].map { channels in
          var sizes = BlockSizes()
          sizes.winogradSmallMap = smallMap
          sizes.winogradSmallMapChannels = channels
          let device = try CPUDevice(threads: 2, sizes: sizes, instructionSet: set)
          let weights = try device.conv2DWeights(weight, bias: nil, arithmetic)
          return try device.conv2D(x, weights, Conv2DGeometry(padding: 1)).array
        }
      }
      #expect(results.allSatisfy { $0 == results[0] }, "\(set)")
    }
  }

  /// The usual sizes at a usual shape: several blocks of the full height and width.
  @Test func usualBlocks() throws {
    var numbers = Numbers(seed: 44)
    let x = numbers.tensor([1, 40, 67, 16])
    let weight = numbers.parameter([8, 16, 3, 3], .float16)
    try judge("40 × 67", depth: 144) {
      try $0.conv2D(x, $0.conv2DWeights(weight, bias: nil), Conv2DGeometry(padding: 1))
    }
  }
}
