extension ReferenceDevice {
  /// Expands the weight and its bias to fp32, and multiplies exactly whatever may be rounded.
  public func conv2DWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> Conv2DWeights
  {
    Conv2DWeights(
      weight, arithmetic, packed: Packed(weight: Self.expanded(weight), bias: bias.map(Self.expanded)))
  }

  /// The definition: seven nested loops; a position outside of the input contributes nothing.
  public func conv2D(
    _ x: Tensor, normalization: GroupNormalization?, _ weights: Conv2DWeights, _ geometry: Conv2DGeometry,
    channelAddend: Tensor?, residual: Tensor?
  ) throws -> Tensor {
    let x = if let normalization { try groupNorm(x, normalization) } else { x }
    guard let packed = weights.packed as? Packed else { preconditionFailure("weights of another device") }
    precondition(
      x.shape.count == 4 && x.shape[3] == weights.inChannels,
      "conv2D: x is \(x.shape), the layer takes \(weights.inChannels) channels")
    let source =
      if geometry.resizedHeight != nil || geometry.resizedWidth != nil {
        try upsampleNearest(
          x, height: geometry.resizedHeight ?? x.shape[1], width: geometry.resizedWidth ?? x.shape[2])
      } else {
        x
      }
    let (batch, height, width, inputs) = (x.shape[0], source.shape[1], source.shape[2], weights.inChannels)
    let (kernelHeight, kernelWidth, outputs) = (weights.kernelHeight, weights.kernelWidth, weights.outChannels)
    let outHeight = (height + geometry.top + geometry.bottom - kernelHeight) / geometry.stride + 1
    let outWidth = (width + geometry.left + geometry.right - kernelWidth) / geometry.stride + 1
    let shape = [batch, outHeight, outWidth, outputs]
    precondition(
      channelAddend == nil || channelAddend?.shape == [batch, outputs],
      "conv2D: the channel addend is not [\(batch), \(outputs)]")
    precondition(residual == nil || residual?.shape == shape, "conv2D: the residual is not \(shape)")
    let (elements, addend, added) = (source.array, channelAddend?.array, residual?.array)
    var result = [Float](repeating: 0, count: shape.reduce(1, *))
    var index = 0
    for n in 0..<batch {
      for row in 0..<outHeight {
        for column in 0..<outWidth {
          for output in 0..<outputs {
            var sum = packed.bias.map { Double($0[output]) } ?? 0
            for kernelRow in 0..<kernelHeight {
              for kernelColumn in 0..<kernelWidth {
                let y = row * geometry.stride + kernelRow - geometry.top
                let x = column * geometry.stride + kernelColumn - geometry.left
                guard (0..<height).contains(y), (0..<width).contains(x) else { continue }
                for input in 0..<inputs {
                  let weight = ((output * inputs + input) * kernelHeight + kernelRow) * kernelWidth + kernelColumn
                  let element = ((n * height + y) * width + x) * inputs + input
                  sum += Double(elements[element]) * Double(packed.weight[weight])
                }
              }
            }
            if let addend { sum += Double(addend[n * outputs + output]) }
            if let added { sum += Double(added[index]) }
            result[index] = Float(sum)
            index += 1
          }
        }
      }
    }
    return Tensor(result, shape: shape)
  }
}
