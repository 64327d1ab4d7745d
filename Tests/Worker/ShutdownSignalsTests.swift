import Glibc
import Testing
import Worker

@Suite(.timeLimit(.minutes(1))) struct ShutdownSignalsTests {
  /// Sends real signals to this process; SIGWINCH and SIGURG, which do nothing by default.
  @Test func onlyTheSecondSignalAndThoseAfterItCount() async {
    let (listening, isListening) = AsyncStream<Void>.makeStream()
    let stream = ShutdownSignals.repeated([SIGWINCH, SIGURG]) { isListening.yield() }
    _ = await listening.next()
    _ = await listening.next()
    let yielded = Gate()
    let waiting = Task {
      _ = await stream.next()
      yielded.open()
    }
    kill(getpid(), SIGWINCH)
    // A wrong yield would come within microseconds of the signal.
    await yielded.wait(atMost: .milliseconds(200))
    #expect(!yielded.isOpen)
    kill(getpid(), SIGURG)
    await waiting.value
  }
}
