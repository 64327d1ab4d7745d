import Tensors
import Testing

/// A member of a batch comes out as it does alone, bit for bit: a picture must not depend on those that it is drawn with.
@Suite struct BatchTests {
  /// Runs an operation on a batch and on each of its members, on every device on trial.
  private func compare(
    _ what: String, _ inputs: [Tensor], sourceLocation: SourceLocation = #_sourceLocation,
    _ operation: (any Device, [Tensor]) throws -> Tensor
  ) throws {
    let batch = inputs[0].shape[0]
    for device in Trial.devices {
      let together = try operation(device, inputs).array.map(\.bitPattern)
      let alone = try (0..<batch).flatMap { member in
        try operation(device, inputs.map { Self.member(member, of: $0) }).array.map(\.bitPattern)
      }
      #expect(together == alone, "\(what) on \(device.choice.instructionSet)", sourceLocation: sourceLocation)
    }
  }

  private static func member(_ index: Int, of tensor: Tensor) -> Tensor {
    let count = tensor.count / tensor.shape[0]
    return Tensor(Array(tensor.array[index * count..<(index + 1) * count]), shape: [1] + tensor.shape.dropFirst())
  }

  /// Rows of one member that fill tiles badly, of several that fill them well, and more than a part has.
  @Test(arguments: [2, 3, 8], [1, 9, 100])
  func linear(batch: Int, rows: Int) throws {
    var numbers = Numbers(seed: 81)
    let (inputs, outputs) = (600, 96)
    let x = numbers.tensor([batch, rows, inputs])
    let weight = numbers.parameter([outputs, inputs], .float16)
    for activation in [Activation.none, .geglu] {
      let residual = numbers.tensor([batch, rows, activation == .geglu ? outputs / 2 : outputs])
      for arithmetic in [LayerArithmetic.fp32, .int16] {
        try compare("\(rows) rows, \(activation), \(arithmetic)", [x, residual]) { device, tensors in
          try device.linear(
            tensors[0], device.linearWeights(weight, bias: nil, arithmetic), activation: activation,
            residual: tensors[1])
        }
      }
      try compare("\(rows) rows, \(activation), int8", [x, residual]) { device, tensors in
        try device.linear(
          tensors[0], device.linearWeights(quantized(weight), bias: nil), activation: activation, residual: tensors[1])
      }
    }
  }

  /// Sides on both sides of the border between small and large maps, counted in tiles of a member and of the batch.
  @Test(arguments: [2, 3, 8], [5, 12, 20])
  func convolution(batch: Int, side: Int) throws {
    var numbers = Numbers(seed: 82)
    let (inputs, outputs) = (160, 40)
    let x = numbers.tensor([batch, side, side, inputs])
    let normalization = GroupNormalization(
      groups: 4, epsilon: 1e-5, scale: numbers.tensor([inputs]), bias: numbers.tensor([inputs]), activation: .silu)
    let addend = numbers.tensor([batch, outputs])
    let residual = numbers.tensor([batch, side, side, outputs])
    let weight = numbers.parameter([outputs, inputs, 3, 3], .float16)
    let nextNorm = GroupNormalization(
      groups: 4, epsilon: 1e-5, scale: numbers.tensor([outputs]), bias: numbers.tensor([outputs]))
    let doubled = Conv2DGeometry(padding: 1, resizedTo: (2 * side, 2 * side))
    for arithmetic in [LayerArithmetic.fp32, .int16] {
      try compare("side \(side), \(arithmetic)", [x, addend, residual]) { device, tensors in
        let result = try device.conv2D(
          tensors[0], normalization: normalization, device.conv2DWeights(weight, bias: nil, arithmetic),
          Conv2DGeometry(padding: 1), channelAddend: tensors[1], residual: tensors[2])
        // The moments that the result knows are a member's own too.
        return try device.groupNorm(result, nextNorm)
      }
      try compare("side \(side), halved, \(arithmetic)", [x]) { device, tensors in
        try device.conv2D(
          tensors[0], device.conv2DWeights(weight, bias: nil, arithmetic), Conv2DGeometry(stride: 2, padding: 1))
      }
      try compare("side \(side), doubled, \(arithmetic)", [x]) { device, tensors in
        try device.conv2D(tensors[0], device.conv2DWeights(weight, bias: nil, arithmetic), doubled)
      }
    }
    let few = numbers.tensor([batch, side, side, 4])
    let fewWeight = numbers.parameter([outputs, 4, 3, 3])
    try compare("side \(side), 4 channels", [few]) { device, tensors in
      try device.conv2D(tensors[0], device.conv2DWeights(fewWeight, bias: nil), Conv2DGeometry(padding: 1))
    }
  }

  @Test(arguments: [2, 3, 8], [1, 16, 77, 200])
  func attention(batch: Int, queries: Int) throws {
    var numbers = Numbers(seed: 83)
    let query = numbers.tensor([batch, queries, 80], scale: 2)
    for keys in [queries, 77] {
      let (key, value) = (numbers.tensor([batch, keys, 80]), numbers.tensor([batch, keys, 80]))
      for arithmetic in [LayerArithmetic.fp32, .int16] {
        try compare("\(queries) queries, \(keys) keys, \(arithmetic)", [query, key, value]) { device, tensors in
          try device.attention(
            query: tensors[0], key: tensors[1], value: tensors[2], heads: 2, causal: false, arithmetic)
        }
      }
    }
  }

  /// Keys in several tensors, one of them for two members and one there twice, are those of one tensor.
  @Test func keysOfSeveralTensors() throws {
    var numbers = Numbers(seed: 84)
    let query = numbers.tensor([4, 9, 40])
    let (first, second) = (numbers.tensor([2, 7, 40]), numbers.tensor([1, 7, 40]))
    func stacked(_ parts: [Tensor]) -> Tensor { Tensor(parts.flatMap(\.array), shape: [4, 7, 40]) }
    let keys = [first, second, second]
    let values = keys.map { Tensor($0.array.map { 1 - $0 }, shape: $0.shape) }
    for device in Trial.devices.map({ $0 as any Device }) + [Trial.reference] {
      let apart = try device.attention(query: query, keys: keys, values: values, heads: 2, causal: false, .fp32)
      let together = try device.attention(
        query: query, key: stacked(keys), value: stacked(values), heads: 2, causal: false)
      #expect(apart.array == together.array)
    }
  }
}
