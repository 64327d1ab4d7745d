extension CPUDevice {
  func concatenateKernel(_ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(a.shape.dropLast() == b.shape.dropLast(), "concatenate: \(a.shape) and \(b.shape) do not line up")
    let (widthA, widthB) = (a.shape[a.shape.count - 1], b.shape[b.shape.count - 1])
    let width = widthA + widthB
    let result = Tensor(uninitialized: Array(a.shape.dropLast()) + [width])
    let (first, second, target) = unsafe (a.pointer, b.pointer, result.mutablePointer)
    forEachRun(of: a.count / widthA, length: 256) { rows in
      for row in rows {
        unsafe (target + row * width).update(from: first + row * widthA, count: widthA)
        unsafe (target + row * width + widthA).update(from: second + row * widthB, count: widthB)
      }
    }
    return result
  }
}
