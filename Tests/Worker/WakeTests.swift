import Testing
import Worker

@Suite struct WakeTests {
  @Test func ringsAreRememberedAsOne() async {
    let wake = Wake()
    for _ in 0..<1000 { wake.ring() }
    await wake.wait()
    // The second wait finds no ring left and ends by its deadline.
    let begin = ContinuousClock.now
    await wake.wait(for: .milliseconds(20))
    #expect(ContinuousClock.now - begin >= .milliseconds(20))
  }

  @Test func aRingEndsAWait() async {
    let wake = Wake()
    async let waited: Void = wake.wait()
    wake.ring()
    await waited
  }

  @Test func itCanBeWaitedForManyTimes() async {
    let wake = Wake()
    for _ in 0..<100 {
      await wake.wait(until: .now)
      wake.ring()
      await wake.wait()
    }
  }

  @Test func cancellationEndsAWait() async {
    let wake = Wake()
    let task = Task { await wake.wait() }
    task.cancel()
    await task.value
  }
}
