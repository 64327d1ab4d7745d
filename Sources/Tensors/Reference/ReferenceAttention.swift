#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

extension ReferenceDevice {
  /// One query at a time: all scores, their softmax, the weighted sum of the values.
  public func attention(
    query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool, _ arithmetic: LayerArithmetic
  ) throws
    -> Tensor
  {
    precondition(query.shape.count == 3 && key.shape.count == 3, "attention takes [N, T, heads·d]")
    let (batch, queries, width) = (query.shape[0], query.shape[1], query.shape[2])
    let keys = key.shape[1]
    precondition(
      key.shape == [batch, keys, width] && value.shape == key.shape && width.isMultiple(of: heads),
      "attention: query \(query.shape), key \(key.shape), value \(value.shape), \(heads) heads do not fit")
    precondition(!causal || queries == keys, "causal attention needs as many queries as keys")
    let depth = width / heads
    let (q, k, v) = (query.array, key.array, value.array)
    let scale = 1 / Double(depth).squareRoot()
    var result = [Float](repeating: 0, count: query.count)
    for n in 0..<batch {
      for head in 0..<heads {
        for t in 0..<queries {
          let visible = causal ? t + 1 : keys
          let queryStart = (n * queries + t) * width + head * depth
          var scores: [Double] = []
          for s in 0..<visible {
            let keyStart = (n * keys + s) * width + head * depth
            var sum = 0.0
            for i in 0..<depth { sum += Double(q[queryStart + i]) * Double(k[keyStart + i]) }
            scores.append(sum * scale)
          }
          // A NaN score must reach the sum; `max` may or may not return it, the exponentials keep it.
          let largest = scores.max() ?? 0
          let weights = scores.map { exp($0 - largest) }
          let total = weights.reduce(0, +)
          for i in 0..<depth {
            var sum = 0.0
            for s in 0..<visible { sum += weights[s] * Double(v[(n * keys + s) * width + head * depth + i]) }
            result[queryStart + i] = Float(sum / total)
          }
        }
      }
    }
    return Tensor(result, shape: query.shape)
  }
}
