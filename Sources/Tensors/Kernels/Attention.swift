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
    _ query: Tensor, _ keys: [Tensor], _ values: [Tensor], _ heads: Int, _ causal: Bool,
    _ arithmetic: LayerArithmetic
  ) -> Tensor {
    let shape = AttentionShape(query, keys, values, heads: heads, causal: causal)
    let (batch, queries, width, depth) = (shape.batch, shape.queries, shape.width, shape.depth)
    let result = Tensor(uninitialized: query.shape)
    let (source, target) = unsafe (query.pointer, result.mutablePointer)
    var partLength = min(sizes.queries, queries)
    while partLength > Self.fewestQueries, batch * heads * ((queries - 1) / partLength + 1) < Self.wantedParts {
      partLength = (partLength + 1) / 2
    }
    let parts = (queries - 1) / partLength + 1
    pool.run(count: batch * heads * parts) { index in
      let (pair, part) = index.quotientAndRemainder(dividingBy: parts)
      let (picture, head) = pair.quotientAndRemainder(dividingBy: heads)
      let place = shape.keyPlaces[picture]
      let queryStart = picture * queries * width + head * depth
      let keyStart = place.row * shape.keys * width + head * depth
      let task = unsafe AttentionTask(
        query: source + queryStart, key: keys[place.tensor].pointer + keyStart,
        value: values[place.tensor].pointer + keyStart, target: target + queryStart, stride: width, keys: shape.keys,
        depth: depth, isCausal: causal, keyBlock: sizes.keys, isRounded: arithmetic == .int16)
      unsafe scratch.withBuffer(kernels.attentionWorkspace(task, queries: partLength)) { buffer in
        unsafe kernels.attention(
          task, queries: part * partLength..<min((part + 1) * partLength, queries), workspace: buffer)
      }
    }
    return result
  }
}
