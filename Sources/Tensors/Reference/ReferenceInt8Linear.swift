internal import KernelInterface

extension ReferenceDevice {
  /// An int8 layer, its integers in the order of the checkpoint.
  struct Int8Packed: Sendable {
    /// `[out, in]`
    let values: [Int8]
    /// `[out]`
    let scales: [Float]
    let bias: [Float]?
  }

  /// Puts the weights back into rows.
  public func linearWeights(_ weight: QuantizedParameter, bias: Parameter?) throws -> LinearWeights {
    precondition(bias == nil || bias?.shape == [weight.shape[0]], "\(weight.name): bias does not match")
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let packed = unsafe weight.withBytes { bytes in
      let scaleOffset = Int8Layout.valueBytes(columns: outputs, depth: inputs)
      return Int8Packed(
        values: (0..<outputs).flatMap { output in
          (0..<inputs).map { input in
            unsafe Int8(bitPattern: bytes[Int8Layout.offset(column: output, step: input, depth: inputs)])
          }
        },
        scales: (0..<outputs).map {
          unsafe bytes.loadUnaligned(fromByteOffset: scaleOffset + 4 * $0, as: Float.self)
        }, bias: bias.map(Self.expanded))
    }
    return LinearWeights(inFeatures: inputs, outFeatures: outputs, packed: packed)
  }

  /// The products of one row with every output, in the arithmetic that the kernels promise: whole numbers exactly, and the three
  /// roundings of the scales as they do them.
  static func int8Products(_ row: ArraySlice<Float>, _ packed: Int8Packed) -> [Double] {
    let low = row.reduce(0) { min($0, $1) }
    let range = row.reduce(0) { max($0, $1) } - low
    guard row.allSatisfy(\.isFinite) else { return packed.scales.map { _ in .nan } }
    let isZero = range < 1e-30
    let (scale, inverse) = isZero ? (0, 0) : (range / 254, 254 / range)
    let zero = Int((-(low * inverse)).rounded(.toNearestOrEven))
    let bytes = row.map { x -> Int in
      let quotient = x * inverse
      return Int((Double(quotient) + Double(zero)).rounded(.toNearestOrEven))
    }
    return packed.scales.indices.map { output in
      var sum = 0
      for (input, byte) in bytes.enumerated() {
        sum += (byte - zero) * Int(packed.values[output * bytes.count + input])
      }
      return Double(Float(sum) * (packed.scales[output] * scale))
    }
  }
}
