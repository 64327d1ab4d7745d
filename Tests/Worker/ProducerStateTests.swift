import Testing
import Worker

@Suite struct ProducerStateTests {
  private let start = ContinuousClock.now

  private func state(slots: Int = 2, maxJobs: Int? = nil, idleExit: Duration? = nil) -> ProducerState {
    ProducerState(slots: slots, maxJobs: maxJobs, idleExit: idleExit, now: start)
  }

  private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

  @Test func claimsForFreeSlotsAtOnce() {
    var state = state()
    #expect(state.action(at: start, holdsLease: true) == .claim(limit: 2))
  }

  @Test func waitsForThePollAfterAnEmptyClaim() {
    var state = state()
    state.claimed(0, of: 2, at: start, poll: .seconds(2))
    #expect(state.action(at: start, holdsLease: true) == .wait(until: at(2)))
    #expect(state.action(at: at(2), holdsLease: true) == .claim(limit: 2))
  }

  @Test func aNotificationEndsTheWait() {
    var state = state()
    state.claimed(0, of: 2, at: start, poll: .seconds(2))
    state.woken(at: at(0.5))
    #expect(state.action(at: at(0.5), holdsLease: true) == .claim(limit: 2))
  }

  @Test func neverClaimsMoreThanTheFreeSlots() {
    var state = state()
    state.claimed(2, of: 2, at: start, poll: .seconds(2))
    #expect(state.action(at: at(9), holdsLease: true) == .wait(until: nil))
    state.jobEnded(at: at(9))
    #expect(state.action(at: at(9), holdsLease: true) == .claim(limit: 1))
  }

  @Test func anEndedJobAsksAtOnceAlsoBetweenPolls() {
    var state = state()
    state.claimed(1, of: 2, at: start, poll: .seconds(2))
    #expect(state.action(at: at(1), holdsLease: true) == .wait(until: at(2)))
    state.jobEnded(at: at(1))
    #expect(state.action(at: at(1), holdsLease: true) == .claim(limit: 2))
  }

  @Test func withoutALeaseItWaits() {
    var state = state(idleExit: .seconds(5))
    #expect(state.action(at: at(60), holdsLease: false) == .wait(until: nil))
    // Being cut off is not being idle: the five seconds begin anew.
    state.claimed(0, of: 2, at: at(60), poll: .seconds(2))
    #expect(state.action(at: at(61), holdsLease: true) == .wait(until: at(62)))
  }

  @Test func maxJobsBoundsTheClaimAndEndsTheWorker() {
    var state = state(slots: 4, maxJobs: 3)
    #expect(state.action(at: start, holdsLease: true) == .claim(limit: 3))
    state.claimed(2, of: 3, at: start, poll: .seconds(2))
    #expect(state.action(at: at(2), holdsLease: true) == .claim(limit: 1))
    state.claimed(1, of: 1, at: at(2), poll: .seconds(2))
    #expect(state.action(at: at(3), holdsLease: true) == .wait(until: nil))
    for _ in 0..<3 { state.jobEnded(at: at(4)) }
    #expect(state.action(at: at(4), holdsLease: true) == .end(.maxJobs))
  }

  @Test func idleExitCountsFromTheLastJob() {
    var state = state(slots: 1, idleExit: .seconds(5))
    state.claimed(1, of: 1, at: start, poll: .seconds(2))
    #expect(state.action(at: at(100), holdsLease: true) == .wait(until: nil))
    state.jobEnded(at: at(100))
    state.claimed(0, of: 1, at: at(100), poll: .seconds(2))
    state.claimed(0, of: 1, at: at(104), poll: .seconds(2))
    #expect(state.action(at: at(104), holdsLease: true) == .wait(until: at(105)))
    #expect(state.action(at: at(105), holdsLease: true) == .end(.idle))
  }

  @Test func looksOnceMoreBeforeItEndsIdle() {
    var state = state(idleExit: .seconds(2))
    state.claimed(0, of: 2, at: start, poll: .seconds(2))
    #expect(state.action(at: at(2), holdsLease: true) == .claim(limit: 2))
    state.claimed(0, of: 2, at: at(2), poll: .seconds(2))
    #expect(state.action(at: at(2), holdsLease: true) == .end(.idle))
  }

  @Test func aFailedClaimIsNoSignOfIdleness() {
    var state = state(idleExit: .seconds(1))
    state.claimFailed(at: at(10), poll: .seconds(2))
    #expect(state.action(at: at(10.5), holdsLease: true) == .wait(until: at(11)))
  }

  @Test func drainingEndsOnceNothingRuns() {
    var state = state()
    state.claimed(1, of: 2, at: start, poll: .seconds(2))
    state.drain()
    #expect(state.action(at: at(5), holdsLease: true) == .wait(until: nil))
    state.jobEnded(at: at(6))
    #expect(state.action(at: at(6), holdsLease: true) == .end(.drained))
  }

  /// Any order of events: never more jobs than slots, never more than the maximum.
  @Test(arguments: 0..<200) func randomEventsKeepTheBounds(seed: Int) {
    var random = LinearGenerator(state: UInt64(seed))
    let slots = Int.random(in: 1...4, using: &random), maxJobs = Int.random(in: 1...12, using: &random)
    var state = state(slots: slots, maxJobs: maxJobs)
    var now = start, running = 0, taken = 0
    for _ in 0..<200 {
      now += .milliseconds(Int.random(in: 0...3000, using: &random))
      switch state.action(at: now, holdsLease: Bool.random(using: &random)) {
      case .claim(let limit):
        let count = Int.random(in: 0...limit, using: &random)
        running += count
        taken += count
        state.claimed(count, of: limit, at: now, poll: .seconds(2))
      case .wait:
        if running > 0, Bool.random(using: &random) {
          running -= 1
          state.jobEnded(at: now)
        }
      case .end(let ending):
        #expect(running == 0)
        #expect(ending == .maxJobs && taken == maxJobs)
        return
      }
      #expect(running <= slots && taken <= maxJobs)
      #expect(state.runningCount == running)
    }
  }
}

/// Knuth's MMIX generator: the same events for a seed on every machine.
struct LinearGenerator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}
