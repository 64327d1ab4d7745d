extension ReferenceDevice {
  /// Expands the weight and its bias to fp32.
  public func linearWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> LinearWeights
  {
    precondition(weight.shape.count == 2, "\(weight.name): a linear weight is [out, in], not \(weight.shape)")
    precondition(bias == nil || bias?.shape == [weight.shape[0]], "\(weight.name): bias does not match")
    return LinearWeights(
      inFeatures: weight.shape[1], outFeatures: weight.shape[0],
      packed: Packed(weight: Self.expanded(weight), bias: bias.map(Self.expanded)))
  }

  /// One dot product per output; bias, activation and residual follow before the only rounding.
  public func linear(_ x: Tensor, _ weights: LinearWeights, activation: Activation, residual: Tensor?) throws
    -> Tensor
  {
    let (inputs, outputs) = (weights.inFeatures, weights.outFeatures)
    precondition(x.shape.last == inputs, "linear: x is \(x.shape), the layer takes \(inputs) features")
    precondition(activation != .geglu || outputs.isMultiple(of: 2), "geglu needs an even number of features")
    let rows = x.count / inputs
    // Kept in double until the very end, so that the fused operations add no rounding of their own.
    let product = products(x.array, rows: rows, weights)
    let width = activation == .geglu ? outputs / 2 : outputs
    let shape = Array(x.shape.dropLast()) + [width]
    precondition(residual == nil || residual?.shape == shape, "linear: the residual is not \(shape)")
    let added = residual?.array
    var result = [Float](repeating: 0, count: rows * width)
    for row in 0..<rows {
      for column in 0..<width {
        let value =
          if activation == .geglu {
            product[row * outputs + column] * Self.gelu(product[row * outputs + width + column])
          } else {
            Self.apply(activation, product[row * outputs + column])
          }
        let index = row * width + column
        result[index] = Float(value + (added.map { Double($0[index]) } ?? 0))
      }
    }
    return Tensor(result, shape: shape)
  }

  /// `x · Wᵀ + b`, row after row.
  private func products(_ elements: [Float], rows: Int, _ weights: LinearWeights) -> [Double] {
    let (inputs, outputs) = (weights.inFeatures, weights.outFeatures)
    if let packed = weights.packed as? Int8Packed {
      return (0..<rows).flatMap { row in
        let products = Self.int8Products(elements[row * inputs..<(row + 1) * inputs], packed)
        return products.indices.map { output in
          products[output] + (packed.bias.map { Double($0[output]) } ?? 0)
        }
      }
    }
    guard let packed = weights.packed as? Packed else { preconditionFailure("weights of another device") }
    var product = [Double](repeating: 0, count: rows * outputs)
    for row in 0..<rows {
      for output in 0..<outputs {
        var sum = packed.bias.map { Double($0[output]) } ?? 0
        for input in 0..<inputs {
          let (element, weight) = (elements[row * inputs + input], packed.weight[output * inputs + input])
          sum += Double(element) * Double(weight)
        }
        product[row * outputs + output] = sum
      }
    }
    return product
  }
}
