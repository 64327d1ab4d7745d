internal import Synchronization

/// How far the preparation before the first job is; told by the thread that does it.
public final class LoadingProgress: Sendable {
  private let state = Mutex((share: 0.0, advanced: ContinuousClock.now))

  /// Nothing is loaded yet.
  public init() {}

  /// The share that is done, 0…1.
  public func report(_ share: Double) {
    state.withLock { state in
      guard share != state.share else { return }
      state = (share, .now)
    }
  }

  var share: Double { state.withLock { $0.share } }
  var advanced: ContinuousClock.Instant { state.withLock { $0.advanced } }
}
