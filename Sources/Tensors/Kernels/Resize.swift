extension CPUDevice {
  func upsampleNearestKernel(_ x: Tensor, height: Int, width: Int) -> Tensor {
    precondition(x.shape.count == 4, "upsampleNearest: x is [N, H, W, C], not \(x.shape)")
    precondition(height > 0 && width > 0, "upsampleNearest: \(height) × \(width) is empty")
    let (batch, inHeight, inWidth, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let result = Tensor(uninitialized: [batch, height, width, channels])
    let (source, target) = unsafe (x.pointer, result.mutablePointer)
    let columns = (0..<width).map { nearestSource($0, from: inWidth, to: width) }
    pool.run(count: batch * height) { index in
      let (n, row) = index.quotientAndRemainder(dividingBy: height)
      let from = unsafe source + (n * inHeight + nearestSource(row, from: inHeight, to: height)) * inWidth * channels
      let to = unsafe target + index * width * channels
      for column in 0..<width {
        unsafe (to + column * channels).update(from: from + columns[column] * channels, count: channels)
      }
    }
    return result
  }
}
