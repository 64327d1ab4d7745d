internal import Tensors

/// What the UNet's layers made of a text, and of the timesteps at which they saw it. Good for one text (and pooled
/// text) and one loaded network.
///
/// Unchecked: `steps` is touched under `mutex` alone.
package final class UNetMemo: @unchecked Sendable {
  private struct Step: Hashable {
    let timestep: Float
    let timeIDs: [[Float]]
  }

  /// Keys and values of the text.
  let text = LayerMemo()
  private var steps: [Step: LayerMemo] = [:]
  private let mutex = PthreadMutex()

  /// Remembers nothing yet.
  package init() {}

  /// The timestep's embedding and its projections, which also depend on the size of the picture.
  func step(_ timestep: Float, timeIDs: [[Float]]) -> LayerMemo {
    mutex.withLock {
      let step = Step(timestep: timestep, timeIDs: timeIDs)
      if let known = steps[step] { return known }
      let memo = LayerMemo()
      steps[step] = memo
      return memo
    }
  }

  /// Bytes of all tensors.
  var byteCount: Int { text.byteCount + mutex.withLock { steps.values.reduce(0) { $0 + $1.byteCount } } }
}
