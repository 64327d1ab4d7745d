/// Scaled dot-product attention in blocks of queries and keys, so that no `Tq × Tk` matrix exists: softmax is
/// computed online, a running maximum and sum per query (Milakov and Gimelshein, 2018; the blocking is that of
/// Dao et al., FlashAttention, 2022).
///
/// A head is every `heads · depth`-th run of `depth` elements: the products take that stride, nothing is
/// transposed. Blocks of keys are as long as the scores stay in the cache: 256 × 512 floats.
extension CPUDevice {
  func attentionKernel(_ query: Tensor, _ key: Tensor, _ value: Tensor, _ heads: Int, _ causal: Bool) -> Tensor {
    precondition(query.shape.count == 3 && key.shape.count == 3, "attention takes [N, T, heads·d]")
    let (batch, queries, width) = (query.shape[0], query.shape[1], query.shape[2])
    let keys = key.shape[1]
    precondition(
      heads > 0 && key.shape == [batch, keys, width] && value.shape == key.shape && width.isMultiple(of: heads),
      "attention: query \(query.shape), key \(key.shape), value \(value.shape), \(heads) heads do not fit")
    precondition(!causal || queries == keys, "causal attention needs as many queries as keys")
    let result = Tensor(uninitialized: query.shape)
    let (q, k, v, target) = unsafe (query.pointer, key.pointer, value.pointer, result.mutablePointer)
    var blockLength = min(sizes.queries, queries)
    // One head of one picture (the VAE's) would leave all threads but one idle if it were a single block.
    while blockLength > 32, batch * heads * ((queries - 1) / blockLength + 1) < 8 {
      blockLength = (blockLength + 1) / 2
    }
    let blocks = (queries - 1) / blockLength + 1
    pool.run(count: batch * heads * blocks) { index in
      let (pair, block) = index.quotientAndRemainder(dividingBy: blocks)
      let (picture, head) = pair.quotientAndRemainder(dividingBy: heads)
      let depth = width / heads
      let rows = block * blockLength..<min((block + 1) * blockLength, queries)
      let keyStart = picture * keys * width + head * depth
      let offset = (picture * queries + rows.lowerBound) * width + head * depth
      unsafe attend(
        MatrixView(base: q + offset, stride: width), MatrixView(base: k + keyStart, stride: width),
        MatrixView(base: v + keyStart, stride: width), into: target + offset, rows: rows, keys: keys, depth: depth,
        causal: causal)
    }
    return result
  }

  /// One block of queries of one head against all its keys.
  private func attend(
    _ q: MatrixView, _ k: MatrixView, _ v: MatrixView, into target: UnsafeMutablePointer<Float>, rows: Range<Int>,
    keys: Int, depth: Int, causal: Bool
  ) {
    let scale = 1 / Float(depth).squareRoot()
    let reach = causal ? rows.upperBound : keys
    let blockLength = min(sizes.keys, reach)
    unsafe scratch.withBuffer(rows.count * (blockLength + 2)) { buffer in
      let softmax = unsafe OnlineSoftmax(
        scores: buffer, largest: buffer + rows.count * blockLength, total: buffer + rows.count * (blockLength + 1),
        scale: scale)
      unsafe softmax.reset(rows.count)
      for first in stride(from: 0, to: reach, by: blockLength) {
        let length = min(blockLength, reach - first)
        unsafe multiplyTransposed(
          rows: rows.count, columns: length, depth: depth, q,
          MatrixView(base: k.base + first * k.stride, stride: k.stride),
          into: buffer, stride: length)
        for row in 0..<rows.count {
          let visible = causal ? max(0, min(length, rows.lowerBound + row + 1 - first)) : length
          let output = unsafe target + row * q.stride
          unsafe softmax.weigh(row, length: length, visible: visible, output: first == 0 ? nil : output, depth: depth)
        }
        unsafe multiply(
          rows: rows.count, columns: depth, depth: length, MatrixView(base: buffer, stride: length),
          MatrixView(base: v.base + first * v.stride, stride: v.stride), into: target, stride: q.stride,
          accumulating: first > 0)
      }
      for row in 0..<rows.count {
        let output = unsafe target + row * q.stride
        let inverse = unsafe 1 / softmax.total[row]
        unsafe mapLanes(depth, output, into: output) { $0 * inverse }
      }
    }
  }
}

/// Softmax over keys that arrive in blocks: weights are relative to the largest score so far, and what was
/// summed before is scaled down when a larger one comes.
@unsafe private struct OnlineSoftmax {
  /// `[rows, length]`: scores, replaced by their weights.
  let scores: UnsafeMutablePointer<Float>
  /// Per row, the largest scaled score so far.
  let largest: UnsafeMutablePointer<Float>
  /// Per row, the sum of the weights so far.
  let total: UnsafeMutablePointer<Float>
  let scale: Float

  func reset(_ rows: Int) {
    unsafe largest.update(repeating: -.infinity, count: rows)
    unsafe total.update(repeating: 0, count: rows)
  }

  /// Turns a row's scores into weights, of which the first `visible` count and the others are 0, and scales
  /// `output`, the sum over earlier blocks (nil for the first), to the new maximum.
  func weigh(_ row: Int, length: Int, visible: Int, output: UnsafeMutablePointer<Float>?, depth: Int) {
    let line = unsafe scores + row * length
    if visible < length { unsafe (line + visible).update(repeating: 0, count: length - visible) }
    guard visible > 0 else { return }
    let before = unsafe largest[row]
    let maximum = unsafe max(before, rowMaximum(line, visible) * scale)
    let sum = unsafe exponentiate(line, visible, minus: maximum)
    // A NaN score is no maximum, but its weight is NaN and so are the sum and the row.
    let correction = before == maximum ? 1 : exponential(Lanes(repeating: before - maximum))[0]
    unsafe largest[row] = maximum
    unsafe total[row] = total[row] * correction + sum
    if let output = unsafe output, correction != 1 { unsafe mapLanes(depth, output, into: output) { $0 * correction } }
  }

  private func rowMaximum(_ line: UnsafePointer<Float>, _ count: Int) -> Float {
    var lanes = Lanes(repeating: -.infinity)
    var index = 0
    while index &+ 8 <= count {
      unsafe lanes = lanes.larger(line.lanes(at: index))
      index &+= 8
    }
    var maximum = lanes.max()
    while index < count {
      if unsafe line[index] > maximum { unsafe maximum = line[index] }
      index &+= 1
    }
    return maximum
  }

  /// `line[i] = e^(line[i] · scale - maximum)`; returns their sum.
  private func exponentiate(_ line: UnsafeMutablePointer<Float>, _ count: Int, minus maximum: Float) -> Float {
    var sum = Lanes.zero
    var index = 0
    while index &+ 8 <= count {
      let weights = unsafe exponential(line.lanes(at: index) * scale - maximum)
      unsafe line.store(weights, at: index)
      sum += weights
      index &+= 8
    }
    var total = sum.sum()
    while index < count {
      unsafe line[index] = exponential(Lanes(repeating: line[index] * scale - maximum))[0]
      unsafe total += line[index]
      index &+= 1
    }
    return total
  }
}
