extension CPUDevice {
  func embeddingKernel(_ ids: [[Int32]], table: Parameter) -> Tensor {
    precondition(table.shape.count == 2, "\(table.name): an embedding table is [V, C], not \(table.shape)")
    let (vocabulary, channels, length) = (table.shape[0], table.shape[1], ids.first?.count ?? 0)
    precondition(ids.allSatisfy { $0.count == length }, "embedding: sequences of different lengths")
    precondition(
      ids.allSatisfy { $0.allSatisfy { 0 <= $0 && $0 < vocabulary } }, "embedding: id outside 0..<\(vocabulary)")
    let result = Tensor(uninitialized: [ids.count, length, channels])
    let target = unsafe result.mutablePointer
    for (row, id) in ids.joined().enumerated() {
      unsafe expand(table, from: Int(id) * channels, count: channels, into: target + row * channels)
    }
    return result
  }
}
