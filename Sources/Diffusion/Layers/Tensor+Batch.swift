internal import Tensors

extension Tensor {
  /// Tensors `[nᵢ, …]` as one batch `[Σ nᵢ, …]`. A single one is the batch already.
  init(stacking parts: [Tensor]) {
    guard parts.count > 1 else {
      self = parts[0]
      return
    }
    precondition(
      parts.allSatisfy { $0.shape.dropFirst() == parts[0].shape.dropFirst() }, "cannot batch \(parts.map(\.shape))")
    self.init(
      parts.flatMap(\.array), shape: [parts.reduce(0) { $0 + $1.shape[0] }] + parts[0].shape.dropFirst())
  }

  /// The members of a batch, each `[1, …]`.
  var members: [Tensor] {
    guard shape[0] > 1 else { return [self] }
    let (elements, length) = (array, count / shape[0])
    return (0..<shape[0]).map {
      Tensor(Array(elements[$0 * length..<($0 + 1) * length]), shape: [1] + shape.dropFirst())
    }
  }
}
