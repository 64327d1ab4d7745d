import Jobs
import Testing
import Worker

@Suite struct AttemptVerdictTests {
  private static let result = JobResult(
    images: [JobImage(index: 0, path: "0/1/2-0.png", sha256: [1], bytes: 1, width: 8, height: 8, seed: 3)])
  private static let permanent = JobError(code: "invalid_request", message: "steps is 0", isPermanent: true)
  private struct Surprise: Error {}

  /// Every end of a handler with every reason to stop, and none.
  @Test(arguments: [nil] + StopReason.allCases.map(Optional.some))
  func everyEndWithEveryReason(stop: StopReason?) {
    func verdict(_ end: Result<JobResult, any Error>) -> AttemptVerdict {
      AttemptVerdict(end, stop: stop, timeout: 30)
    }
    let success = verdict(.success(Self.result))
    let known = verdict(.failure(Self.permanent))
    let stopped = verdict(.failure(CancellationError()))
    let unknown = verdict(.failure(Surprise()))
    switch stop {
    case .leaseLost:
      #expect(success == .drop(Self.result))
      #expect(known == .drop(nil))
      #expect(stopped == .drop(nil))
      #expect(unknown == .drop(nil))
    case .cancelled:
      #expect(success == .finish(.succeeded(Self.result)))
      #expect(known == .finish(.cancelled))
      #expect(stopped == .finish(.cancelled))
      #expect(unknown == .finish(.cancelled))
    case .deadline:
      #expect(success == .finish(.succeeded(Self.result)))
      #expect(known == .finish(.failed(Self.permanent)))
      #expect(code(of: stopped) == "timeout")
      #expect(code(of: unknown) == "internal")
    case .stalled:
      #expect(success == .finish(.succeeded(Self.result)))
      #expect(known == .finish(.failed(Self.permanent)))
      #expect(code(of: stopped) == "stalled")
      #expect(code(of: unknown) == "internal")
    case .drained, nil:
      #expect(success == .finish(.succeeded(Self.result)))
      #expect(known == .finish(.failed(Self.permanent)))
      #expect(stopped == .finish(.released))
      #expect(code(of: unknown) == "internal")
    }
  }

  @Test func aTimeoutNamesTheLimitAndMayBeTriedAgain() throws {
    guard case .finish(.failed(let error)) = AttemptVerdict(.failure(CancellationError()), stop: .deadline, timeout: 30)
    else {
      Issue.record("not a failure")
      return
    }
    #expect(error.message.contains("30"))
    #expect(!error.isPermanent)
  }

  private func code(of verdict: AttemptVerdict) -> String? {
    guard case .finish(.failed(let error)) = verdict else { return nil }
    return error.code
  }
}
