internal import Tensors

extension Tensor {
  /// The tensor itself, if every element is a finite number.
  ///
  /// One NaN spreads over the whole picture within a block or two and then becomes black, or worse, looks plausible;
  /// so it is an error where it first shows.
  ///
  /// - Parameter stage: what made the tensor, for the message.
  func requireFinite(_ stage: @autoclosure () -> String) throws -> Tensor {
    let index = withElements { elements in (0..<count).first { !elements[$0].isFinite } }
    guard let index else { return self }
    var remainder = index
    let position = shape.reversed().map { extent in
      defer { remainder /= extent }
      return remainder % extent
    }
    let value = withElements { $0[index] }
    throw DiffusionError(
      .notFinite,
      "\(stage()) holds \(value) at \(Array(position.reversed())) of \(shape). No picture was made. The checkpoint is "
        + "damaged or does not fit its configuration: compare its files' SHA-256 with the publisher's")
  }
}
