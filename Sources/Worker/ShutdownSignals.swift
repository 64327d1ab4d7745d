internal import Dispatch

/// Signals after the first. `ServiceGroup` takes the first SIGTERM as a request to shut down gracefully and passes over
/// further ones, but an operator who sends a second has run out of patience.
public enum ShutdownSignals {
  /// Yields once for every signal after the first of them.
  ///
  /// - Parameter signals: numbers, such as `SIGTERM` and `SIGINT`. The caller has made sure that they do not end the
  ///   process (`ServiceGroup` does for those it handles).
  public static func repeated(_ signals: [Int32]) -> AsyncStream<Void> {
    AsyncStream { continuation in
      let queue = DispatchQueue(label: "tintype.signals")
      let count = Counter()
      let sources = signals.map { signal in
        let source = DispatchSource.makeSignalSource(signal: signal, queue: queue)
        source.setEventHandler {
          // Signals that arrive together are handled once; `data` says how many they were.
          let before = count.value
          count.value += Int(source.data)
          if count.value > max(1, before) { continuation.yield() }
        }
        source.activate()
        return source
      }
      continuation.onTermination = { _ in for source in sources { source.cancel() } }
    }
  }

  /// Only touched on the signals' queue.
  private final class Counter: @unchecked Sendable {
    var value = 0
  }
}
