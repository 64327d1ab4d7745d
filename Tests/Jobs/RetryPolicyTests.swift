import Jobs
import Testing

@Suite struct RetryPolicyTests {
  @Test(arguments: [(1, 5), (2, 10), (3, 20), (7, 320), (8, 600), (9, 600), (1000, 600)])
  func doublesUpToTheCap(failures: Int, seconds: Int) {
    #expect(RetryPolicy().delay(afterFailures: failures, jitter: 1) == .seconds(seconds))
  }

  @Test func jitterTakesOffAtMostHalf() {
    let policy = RetryPolicy(base: .seconds(8), cap: .seconds(100))
    #expect(policy.delay(afterFailures: 1, jitter: 0) == .seconds(4))
    #expect(policy.delay(afterFailures: 1, jitter: 0.5) == .seconds(6))
    #expect(policy.delay(afterFailures: 1, jitter: 1) == .seconds(8))
  }

  @Test func aCapBelowTheBaseHolds() {
    #expect(RetryPolicy(base: .seconds(60), cap: .seconds(10)).delay(afterFailures: 1, jitter: 1) == .seconds(10))
  }

  @Test func noFailureCountsAsTheFirst() {
    #expect(RetryPolicy().delay(afterFailures: 0, jitter: 1) == .seconds(5))
  }
}
