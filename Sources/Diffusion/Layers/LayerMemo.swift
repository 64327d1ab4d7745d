internal import Synchronization
internal import Tensors

/// Names one result of one layer of one loaded network.
struct LayerID: Hashable, Sendable {
  private let number: Int
  private static let next = Atomic(0)

  /// Unlike any before.
  init() { number = Self.next.wrappingAdd(1, ordering: .relaxed).oldValue }
}

/// What layers made of an input that stays the same over many evaluations, so that they make it once: the keys and
/// values of a text, the projections of a timestep.
///
/// A remembered tensor is the one that the layer would compute again, so nothing that follows can differ.
///
/// Unchecked: the tensors are touched under `mutex` alone.
final class LayerMemo: @unchecked Sendable {
  private var tensors: [LayerID: Tensor] = [:]
  private let mutex = PthreadMutex()

  /// What `make` returned the first time.
  func tensor(_ id: LayerID, _ make: () throws -> Tensor) rethrows -> Tensor {
    if let known = mutex.withLock({ tensors[id] }) { return known }
    // It outlives the run, so it must not keep a place in the run's arena.
    let made = try TensorArena.$current.withValue(nil) { try make() }
    mutex.withLock { tensors[id] = made }
    return made
  }

  /// Bytes of all tensors.
  var byteCount: Int { mutex.withLock { tensors.values.reduce(0) { $0 + $1.byteCount } } }
}

extension Tensor {
  /// Size of the elements.
  var byteCount: Int { count * MemoryLayout<Float>.stride }
}
