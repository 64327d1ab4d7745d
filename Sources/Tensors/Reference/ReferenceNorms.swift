extension ReferenceDevice {
  /// Two passes over each group: the mean, then the squared deviations from it.
  public func groupNorm(_ x: Tensor, _ normalization: GroupNormalization) throws -> Tensor {
    normalization.validate(x.shape)
    let (groups, epsilon) = (normalization.groups, normalization.epsilon)
    let (batch, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
    let (elements, scales, biases) = (x.array, normalization.scale.array, normalization.bias.array)
    let groupChannels = channels / groups
    var result = [Float](repeating: 0, count: x.count)
    for n in 0..<batch {
      for group in 0..<groups {
        let indices = (0..<pixels).flatMap { pixel in
          (0..<groupChannels).map { (n * pixels + pixel) * channels + group * groupChannels + $0 }
        }
        let (mean, inverse) = Self.moments(indices.lazy.map { Double(elements[$0]) }, epsilon: epsilon)
        for index in indices {
          let channel = index % channels
          let value = (Double(elements[index]) - mean) * inverse * Double(scales[channel]) + Double(biases[channel])
          result[index] = Float(Self.apply(normalization.activation, value))
        }
      }
    }
    return Tensor(result, shape: x.shape)
  }

  /// Two passes over each row: the mean, then the squared deviations from it.
  public func layerNorm(_ x: Tensor, epsilon: Float, scale: Tensor, bias: Tensor) throws -> Tensor {
    let channels = x.shape[x.shape.count - 1]
    precondition(scale.shape == [channels] && bias.shape == [channels], "layerNorm: scale and bias are [C]")
    let (elements, scales, biases) = (x.array, scale.array, bias.array)
    var result = [Float](repeating: 0, count: x.count)
    for start in stride(from: 0, to: x.count, by: channels) {
      let (mean, inverse) = Self.moments(
        elements[start..<start + channels].lazy.map { Double($0) }, epsilon: epsilon)
      for channel in 0..<channels {
        result[start + channel] = Float(
          (Double(elements[start + channel]) - mean) * inverse * Double(scales[channel]) + Double(biases[channel]))
      }
    }
    return Tensor(result, shape: x.shape)
  }

  /// Mean and `1/√(variance + ε)` of a population, in two passes.
  private static func moments(_ values: some Collection<Double>, epsilon: Float) -> (mean: Double, inverse: Double) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    return (mean, 1 / (variance + Double(epsilon)).squareRoot())
  }
}
