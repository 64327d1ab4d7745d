import Postgres
import Testing

@Suite struct ReconnectBackoffTests {
  @Test func pausesDoubleUpToTheCapAndNeverFallBelowHalf() {
    var backoff = ReconnectBackoff()
    var generator = SystemRandomNumberGenerator()
    #expect(backoff.delay(using: &generator) == .zero)
    var full = ReconnectBackoff.first
    for _ in 1...100 {
      backoff.failed()
      for _ in 0..<20 {
        let delay = backoff.delay(using: &generator)
        #expect(delay <= full)
        #expect(delay >= full / 2)
      }
      full = min(full * 2, ReconnectBackoff.cap)
    }
    #expect(full == ReconnectBackoff.cap)
    backoff.succeeded()
    #expect(backoff.delay == .zero)
  }

  @Test func pausesOfManyWorkersDiffer() {
    var backoff = ReconnectBackoff()
    for _ in 0..<10 { backoff.failed() }
    let delays = Set((0..<100).map { _ in backoff.delay })
    #expect(delays.count > 90)
  }
}
