import JobStore
import Jobs
import Testing
import Worker

@Suite struct RunningAttemptTests {
  private func attempt(_ id: Int64 = 7, worker: Int64 = 1) -> RunningAttempt {
    RunningAttempt(job: Job(id: 1, attemptID: id, prompt: "a red boat", seed: 1), workerID: WorkerID(rawValue: worker))
  }

  @Test func keepsTheLatestProgress() {
    let attempt = attempt()
    attempt.report(phase: "denoise", step: 1, fraction: 0.25)
    attempt.report(phase: "denoise", step: 2, fraction: 0.5)
    #expect(attempt.progress == .init(phase: "denoise", step: 2, fraction: 0.5))
  }

  @Test func onlyAChangeCountsAsProgress() throws {
    let attempt = attempt()
    attempt.report(phase: "denoise", step: 1, fraction: 0.25)
    let first = try #require(attempt.liveness)
    attempt.report(phase: "denoise", step: 1, fraction: 0.25)
    #expect(attempt.liveness == first)
    attempt.report(phase: "denoise", step: 1, fraction: 0.26)
    #expect(try #require(attempt.liveness).advanced > first.advanced)
  }

  @Test func theFirstReasonStands() async {
    let attempt = attempt()
    attempt.stop(.drained)
    attempt.stop(.cancelled)
    await attempt.waitForStop()
    #expect(attempt.handlerReturned() == .drained)
  }

  @Test(arguments: StopReason.allCases) func aLostLeaseOutweighsEveryOther(first: StopReason) async {
    let attempt = attempt()
    attempt.stop(first)
    attempt.stop(.leaseLost)
    #expect(attempt.handlerReturned() == .leaseLost)
  }

  @Test func nothingStopsAHandlerThatHasReturned() {
    let attempt = attempt()
    #expect(attempt.handlerReturned() == nil)
    attempt.stop(.leaseLost)
    #expect(attempt.handlerReturned() == nil)
    #expect(attempt.liveness == nil)
  }

  @Test func waitingForAStopEndsWithItsTask() async {
    let attempt = attempt()
    let task = Task { await attempt.waitForStop() }
    task.cancel()
    await task.value
  }

  @Test func attemptsStopByIdAndByRegistration() {
    let attempts = RunningAttempts()
    let (a, b, c) = (attempt(1, worker: 1), attempt(2, worker: 1), attempt(3, worker: 2))
    for attempt in [c, a, b] { attempts.insert(attempt) }
    #expect(attempts.all.map(\.job.attemptID) == [1, 2, 3])
    attempts.stop([2, 99], .cancelled)
    attempts.stopAll(of: WorkerID(rawValue: 1), .drained)
    #expect(a.handlerReturned() == .drained)
    #expect(b.handlerReturned() == .cancelled)
    #expect(c.handlerReturned() == nil)
    attempts.remove(a)
    #expect(attempts.all.map(\.job.attemptID) == [2, 3])
  }
}
