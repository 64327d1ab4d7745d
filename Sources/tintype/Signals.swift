import Dispatch
import Foundation
import Synchronization

/// Ctrl-C and its like for commands that run for a while without a service group.
enum Signals {
  /// Writing to a closed pipe then fails with an error instead of killing the process without a word.
  static func ignoreBrokenPipe() { signal(SIGPIPE, SIG_IGN) }
}

/// Set by the first Ctrl-C or SIGTERM, which thereby no longer end the process; the second one does, at once.
final class InterruptFlag: Sendable {
  private let raised = Atomic(false)
  private let sources = Mutex<[any DispatchSourceSignal]>([])

  var isRaised: Bool { raised.load(ordering: .relaxed) }

  init() {
    sources.withLock { sources in
      for number in [SIGINT, SIGTERM] {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "tintype.signals"))
        source.setEventHandler { [weak self] in
          guard let self else { return }
          if self.raised.exchange(true, ordering: .relaxed) { Foundation.exit(ExitStatus.interrupted.rawValue) }
        }
        source.activate()
        sources.append(source)
      }
    }
  }

  deinit {
    sources.withLock { for source in $0 { source.cancel() } }
  }
}
