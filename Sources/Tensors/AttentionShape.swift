/// The extents of a call of attention, checked against each other.
struct AttentionShape {
  let batch: Int, queries: Int, keys: Int
  /// Of all heads together, and of one.
  let width: Int, depth: Int
  /// Of each member of the batch, the tensor that its keys and values are in, and which of its rows they are.
  let keyPlaces: [(tensor: Int, row: Int)]

  init(_ query: Tensor, _ keys: [Tensor], _ values: [Tensor], heads: Int, causal: Bool) {
    precondition(
      query.shape.count == 3 && !keys.isEmpty && keys.allSatisfy { $0.shape.count == 3 },
      "attention takes [N, T, heads·d]")
    (batch, queries, width) = (query.shape[0], query.shape[1], query.shape[2])
    let length = keys[0].shape[1]
    self.keys = length
    keyPlaces = keys.enumerated().flatMap { tensor, key in (0..<key.shape[0]).map { (tensor, $0) } }
    let width = width
    precondition(
      heads > 0 && width.isMultiple(of: heads) && keyPlaces.count == batch && keys.map(\.shape) == values.map(\.shape)
        && keys.allSatisfy { $0.shape[1] == length && $0.shape[2] == width },
      "attention: query \(query.shape), keys \(keys.map(\.shape)), values \(values.map(\.shape)), \(heads) heads do not fit"
    )
    precondition(!causal || queries == length, "causal attention needs as many queries as keys")
    depth = width / heads
  }
}
