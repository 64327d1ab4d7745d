internal import KernelInterface

/// Attention, some queries of a head at a time: the units that threads take. What happens to them is in the kernels.
///
/// A head is every `heads · depth`-th run of `depth` elements: the kernels take that stride, nothing is transposed. Keys and values
/// are packed once per part, so parts are as large as a good balance of the threads allows.
extension CPUDevice {
  /// Parts that a call should have at least.
  private static let wantedParts = 16
  /// Queries below which a part is not split further: packing costs as much as some six queries.
  private static let fewestQueries = 64

  func attentionKernel(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, _ heads: Int, _ causal: Bool,
    _ arithmetic: LayerArithmetic
  ) -> Tensor {
    precondition(query.shape.count == 3 && key.shape.count == 3, "attention takes [N, T, heads·d]")
    let (batch, queries, width) = (query.shape[0], query.shape[1], query.shape[2])
    let keys = key.shape[1]
    precondition(
      heads > 0 && key.shape == [batch, keys, width] && value.shape == key.shape && width.isMultiple(of: heads),
      "attention: query \(query.shape), key \(key.shape), value \(value.shape), \(heads) heads do not fit")
    precondition(!causal || queries == keys, "causal attention needs as many queries as keys")
    let result = Tensor(uninitialized: query.shape)
    let (q, k, v, target) = unsafe (query.pointer, key.pointer, value.pointer, result.mutablePointer)
    var partLength = min(sizes.queries, queries)
    while partLength > Self.fewestQueries, batch * heads * ((queries - 1) / partLength + 1) < Self.wantedParts {
      partLength = (partLength + 1) / 2
    }
    let parts = (queries - 1) / partLength + 1
    pool.run(count: batch * heads * parts) { index in
      let (pair, part) = index.quotientAndRemainder(dividingBy: parts)
      let (picture, head) = pair.quotientAndRemainder(dividingBy: heads)
      let depth = width / heads
      let queryStart = picture * queries * width + head * depth
      let keyStart = picture * keys * width + head * depth
      let task = unsafe AttentionTask(
        query: q + queryStart, key: k + keyStart, value: v + keyStart, target: target + queryStart, stride: width,
        keys: keys, depth: depth, isCausal: causal, keyBlock: sizes.keys,
        isRounded: arithmetic == .int16)
      unsafe scratch.withBuffer(kernels.attentionWorkspace(task, queries: partLength)) { buffer in
        unsafe kernels.attention(
          task, queries: part * partLength..<min((part + 1) * partLength, queries), workspace: buffer)
      }
    }
    return result
  }
}
