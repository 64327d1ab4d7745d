import Testing
import Worker

@Suite struct LivenessTests {
  private let start = ContinuousClock.now
  private let liveness = Liveness(
    heartbeatBudget: .seconds(20), phaseBudgets: ["load_model": .seconds(100)], defaultBudget: .seconds(10))

  private func stall(heartbeat: Double, _ attempts: [(phase: String, advanced: Double)] = [], at now: Double) -> String?
  {
    liveness.stall(
      heartbeat: start + .seconds(heartbeat),
      attempts: attempts.map { .init(id: 4711, phase: $0.phase, advanced: start + .seconds($0.advanced)) },
      at: start + .seconds(now))
  }

  @Test func anIdleWorkerWithABeatingHeartLives() { #expect(stall(heartbeat: 100, at: 119) == nil) }

  @Test func aSilentHeartbeatIsAStall() { #expect(stall(heartbeat: 0, at: 21)?.contains("heartbeat") == true) }

  @Test func eachPhaseHasItsBudget() {
    #expect(stall(heartbeat: 99, [("load_model", 0)], at: 99) == nil)
    #expect(stall(heartbeat: 101, [("load_model", 0)], at: 101)?.contains("load_model") == true)
    #expect(stall(heartbeat: 10, [("denoise", 0)], at: 10) == nil)
    #expect(stall(heartbeat: 11, [("denoise", 0)], at: 11)?.contains("4711") == true)
  }

  @Test func whoWaitsForAnothersPictureHasNotHung() {
    #expect(stall(heartbeat: 500, [("load_model", 0), ("denoise", 495)], at: 500) == nil)
    // Nobody gets further: both may be waiting for what has hung.
    #expect(stall(heartbeat: 500, [("load_model", 0), ("load_model", 399)], at: 500)?.contains("load_model") == true)
  }

  @Test func oneHungAttemptAmongMovingOnesIsAStall() {
    #expect(stall(heartbeat: 30, [("denoise", 29), ("decode", 5)], at: 30)?.contains("decode") == true)
  }
}
