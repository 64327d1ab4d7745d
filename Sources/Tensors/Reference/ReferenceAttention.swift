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
    query: Tensor, keys: [Tensor], values: [Tensor], heads: Int, causal: Bool, _ arithmetic: LayerArithmetic
  ) throws
    -> Tensor
  {
    let shape = AttentionShape(query, keys, values, heads: heads, causal: causal)
    let (batch, queries, width, depth) = (shape.batch, shape.queries, shape.width, shape.depth)
    let (q, k, v) = (query.array, keys.flatMap(\.array), values.flatMap(\.array))
    let keys = shape.keys
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
