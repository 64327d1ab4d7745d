import Testing
import Worker

@Suite struct LeaseClockTests {
  private let start = ContinuousClock.now

  @Test func hasNoLeaseBeforeTheFirst() {
    let clock = LeaseClock()
    #expect(clock.isOver(at: start))
    #expect(clock.deadline == nil)
  }

  @Test func countsFromSendingAndKeepsAFifthInReserve() {
    var clock = LeaseClock()
    clock.acknowledged(sent: start, lease: .seconds(10))
    #expect(clock.deadline == start + .seconds(8))
    #expect(!clock.isOver(at: start + .milliseconds(7999)))
    #expect(clock.isOver(at: start + .seconds(8)))
  }

  @Test func aLateAnswerOfAnOlderHeartbeatDoesNotShortenTheLease() {
    var clock = LeaseClock()
    clock.acknowledged(sent: start + .seconds(5), lease: .seconds(10))
    clock.acknowledged(sent: start, lease: .seconds(10))
    #expect(clock.deadline == start + .seconds(13))
  }

  @Test func resetEndsIt() {
    var clock = LeaseClock()
    clock.acknowledged(sent: start, lease: .seconds(10))
    clock.reset()
    #expect(clock.isOver(at: start))
  }

  @Test func jitterStaysInItsBoundsAndSpreads() {
    let values = (0..<1000).map { _ in Duration.seconds(2).jittered() }
    #expect(values.allSatisfy { $0 >= .seconds(1.6) && $0 <= .seconds(2.4) })
    // 1000 draws over 0.8 s: that none falls into the outer quarters has a chance below 1e-100.
    #expect(values.contains { $0 < .seconds(1.8) } && values.contains { $0 > .seconds(2.2) })
  }
}
