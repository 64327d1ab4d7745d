internal import Dispatch

/// Signals after the first. `ServiceGroup` takes the first SIGTERM as a request to shut down gracefully and passes over
/// further ones, but an operator who sends a second has run out of patience.
public enum ShutdownSignals {
  /// Yields once for every signal after the first of them.
  ///
  /// - Parameter signals: numbers, such as `SIGTERM` and `SIGINT`. The caller has made sure that they do not end the
  ///   process (`ServiceGroup` does for those it handles).
  public static func repeated(_ signals: [Int32]) -> AsyncStream<Void> { repeated(signals, whenListening: {}) }

  /// - Parameter whenListening: called once for every signal from which on none of its kind is missed.
  package static func repeated(
    _ signals: [Int32], whenListening: @escaping @Sendable () -> Void
  ) -> AsyncStream<Void> {
    AsyncStream { continuation in
      let counter = SignalCounter(signals, whenListening: whenListening) { continuation.yield() }
      continuation.onTermination = { _ in counter.stop() }
    }
  }
}

/// Counts signals, and tells of every one but the first. Its state is touched on its queue alone.
private final class SignalCounter: @unchecked Sendable {
  private let queue = DispatchQueue(label: "tintype.signals")
  private var sources: [any DispatchSourceSignal] = []
  private var count = 0

  init(_ signals: [Int32], whenListening: @escaping @Sendable () -> Void, onRepeat: @escaping @Sendable () -> Void) {
    sources = signals.map { DispatchSource.makeSignalSource(signal: $0, queue: queue) }
    for (index, source) in sources.enumerated() {
      // The handlers keep this object alive until `stop` lets go of the sources.
      source.setEventHandler { [self] in
        // Signals that arrive together are handled at once; `data` says how many they were.
        count += Int(sources[index].data)
        if count > 1 { onRepeat() }
      }
      source.setRegistrationHandler(handler: whenListening)
      source.activate()
    }
  }

  func stop() {
    queue.async {
      for source in self.sources { source.cancel() }
      self.sources = []
    }
  }
}
