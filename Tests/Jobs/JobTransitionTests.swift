import Jobs
import Testing

/// Every pair of a state and an event: the legal ones are written out, all others must be refused.
@Suite struct JobTransitionTests {
  private struct Step: Hashable { let state: JobState, event: JobEvent }

  private static let waits = JobWait.allCases
  private static let outcomes: [AttemptOutcome] = [
    .succeeded, .failed(isPermanent: false), .failed(isPermanent: true), .cancelled, .released, .lost, .timedOut,
  ]

  private static var events: [JobEvent] {
    [
      .due, .initJobSucceeded(isDue: true), .initJobSucceeded(isDue: false), .initJobEnded, .deadlinePassed, .claimed,
      .cancelRequested,
    ]
      + waits.map { .requestChanged($0) } + waits.map { .retried($0) }
      + outcomes.flatMap { outcome in
        [(false, false), (false, true), (true, false), (true, true)].map {
          .attemptEnded(outcome, cancelRequested: $0.0, isLast: $0.1)
        }
      }
  }

  /// What becomes of a running job, by outcome: as it is, as the last, with a cancel requested, with both.
  private static let fates: [(AttemptOutcome, [JobState])] = [
    (.succeeded, [.succeeded, .succeeded, .succeeded, .succeeded]),
    (.failed(isPermanent: false), [.scheduled, .failed, .cancelled, .cancelled]),
    (.failed(isPermanent: true), [.failed, .failed, .cancelled, .cancelled]),
    (.timedOut, [.scheduled, .failed, .cancelled, .cancelled]),
    (.cancelled, [.cancelled, .cancelled, .cancelled, .cancelled]),
    (.released, [.ready, .ready, .cancelled, .cancelled]),
    (.lost, [.ready, .failed, .cancelled, .cancelled]),
  ]

  private static var legal: [Step: JobState] {
    var table: [Step: JobState] = [
      Step(state: .scheduled, event: .due): .ready,
      Step(state: .blocked, event: .initJobSucceeded(isDue: true)): .ready,
      Step(state: .blocked, event: .initJobSucceeded(isDue: false)): .scheduled,
      Step(state: .blocked, event: .initJobEnded): .failed,
      Step(state: .scheduled, event: .deadlinePassed): .failed,
      Step(state: .blocked, event: .deadlinePassed): .failed,
      Step(state: .ready, event: .deadlinePassed): .failed,
      Step(state: .ready, event: .claimed): .running,
      Step(state: .scheduled, event: .cancelRequested): .cancelled,
      Step(state: .blocked, event: .cancelRequested): .cancelled,
      Step(state: .ready, event: .cancelRequested): .cancelled,
      Step(state: .running, event: .cancelRequested): .running,
      Step(state: .succeeded, event: .cancelRequested): .succeeded,
      Step(state: .failed, event: .cancelRequested): .failed,
      Step(state: .cancelled, event: .cancelRequested): .cancelled,
    ]
    let places: [(JobWait, JobState)] = [(.time, .scheduled), (.initJob, .blocked), (.worker, .ready)]
    for (wait, state) in places {
      for waiting in [JobState.scheduled, .blocked, .ready] {
        table[Step(state: waiting, event: .requestChanged(wait))] = state
      }
      table[Step(state: .failed, event: .retried(wait))] = state
      table[Step(state: .cancelled, event: .retried(wait))] = state
    }
    for (outcome, ends) in fates {
      for (index, end) in ends.enumerated() {
        let event = JobEvent.attemptEnded(outcome, cancelRequested: index >= 2, isLast: !index.isMultiple(of: 2))
        table[Step(state: .running, event: event)] = end
      }
    }
    return table
  }

  @Test(arguments: JobState.allCases) func everyEvent(in state: JobState) {
    let legal = Self.legal
    for event in Self.events {
      if let next = legal[Step(state: state, event: event)] {
        #expect((try? state.after(event)) == next, "\(state) + \(event)")
      } else {
        #expect(throws: JobTransitionRefusal(state: state, event: event)) { try state.after(event) }
      }
    }
  }

  @Test func theTableNamesOnlyKnownEvents() {
    // Else a row of it would never be looked at.
    #expect(Set(Self.legal.keys.map(\.event)).isSubset(of: Set(Self.events)))
    #expect(Self.events.count == Set(Self.events).count)
  }

  @Test(arguments: JobState.allCases) func aStateWaitsRunsOrHasEnded(state: JobState) {
    #expect([state.isWaiting, state == .running, state.isTerminal].filter { $0 }.count == 1)
  }

  @Test func aRefusalSaysWhatStays() {
    let refusal = JobTransitionRefusal(state: .succeeded, event: .claimed)
    #expect("\(refusal)" == "A succeeded job does not take the event claimed; it stays succeeded.")
  }
}
