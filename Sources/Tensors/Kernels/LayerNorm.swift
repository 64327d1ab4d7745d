extension CPUDevice {
  func layerNormKernel(_ x: Tensor, _ epsilon: Float, _ scale: Tensor, _ bias: Tensor) -> Tensor {
    let channels = x.shape[x.shape.count - 1]
    precondition(scale.shape == [channels] && bias.shape == [channels], "layerNorm: scale and bias are [C]")
    let result = Tensor(uninitialized: x.shape)
    let (source, target) = unsafe (x.pointer, result.mutablePointer)
    let (scales, biases) = unsafe (scale.pointer, bias.pointer)
    forEachRun(of: x.count / channels, length: max(1, sizes.norm / channels)) { rows in
      for row in rows {
        let (from, to) = unsafe (source + row * channels, target + row * channels)
        let moments = unsafe rowMoments(from, channels)
        let (high, low) = moments.splitMean
        let inverse = moments.inverseDeviation(epsilon: epsilon)
        unsafe mapLanes(channels, from, scales, into: to) { ($0 - high - low) * inverse * $1 }
        unsafe mapLanes(channels, to, biases, into: to) { $0 + $1 }
      }
    }
    return result
  }

  /// Two passes over a row: a mean near enough, then the deviations from it.
  private func rowMoments(_ row: UnsafePointer<Float>, _ count: Int) -> Moments {
    var total = Lanes.zero
    let whole = count / 8 * 8
    for index in stride(from: 0, to: whole, by: 8) { unsafe total += row.lanes(at: index) }
    var rest: Float = 0
    for index in whole..<count { unsafe rest += row[index] }
    let shift = (total.sum() + rest) / Float(count)

    var (sums, squares) = (Lanes.zero, Lanes.zero)
    for index in stride(from: 0, to: whole, by: 8) {
      let deviation = unsafe row.lanes(at: index) - shift
      sums += deviation
      squares += deviation * deviation
    }
    var (sum, sumOfSquares) = (Double(sums.sum()), Double(squares.sum()))
    for index in whole..<count {
      let deviation = unsafe row[index] - shift
      sum += Double(deviation)
      sumOfSquares += Double(deviation * deviation)
    }
    return Moments(count: count, shift: shift, sum: sum, sumOfSquares: sumOfSquares)
  }
}
