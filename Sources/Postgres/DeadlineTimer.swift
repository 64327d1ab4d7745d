import Dispatch

/// A timer with at most one deadline. It costs nothing to move it with every statement.
final class DeadlineTimer {
  private let source: any DispatchSourceTimer
  private var deadline: ContinuousClock.Instant?

  /// The handler runs on `queue`.
  init(queue: DispatchQueue, onDeadline: @escaping @Sendable () -> Void) {
    source = DispatchSource.makeTimerSource(queue: queue)
    source.setEventHandler(handler: onDeadline)
    source.schedule(deadline: .distantFuture)
    source.activate()
  }

  deinit { source.cancel() }

  /// Replaces the deadline.
  func fire(after delay: Duration) {
    deadline = .now + delay
    source.schedule(deadline: .now() + .milliseconds(Int(clamping: delay.milliseconds)))
  }

  /// Takes the deadline back.
  func disarm() {
    deadline = nil
    source.schedule(deadline: .distantFuture)
  }

  /// Whether the deadline has come. A handler asks first: the deadline may have been moved while it was on its way.
  var isDue: Bool { deadline.map { $0 <= .now } ?? false }
}
