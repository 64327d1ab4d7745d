internal import JobStore
internal import Jobs

/// Brings outcomes to the database: the first at once, and those that come while it is under way together, in the next
/// statement. So as many slots as there may be share a commit, and a single one waits for nobody.
actor Reports {
  private let store: JobStore
  private var waiting: [Waiting] = []
  private var isSending = false

  /// An outcome whose task waits for its turn.
  private struct Waiting {
    let worker: WorkerID
    let report: AttemptReport
    let turn: CheckedContinuation<Turn, Never>
  }

  /// What a task that waited hears.
  private enum Turn {
    /// It is the one to send its own report and these.
    case lead([Waiting])
    /// Another has sent it.
    case answered(FinishReply)
    /// Another has tried to send it with its own and failed.
    case alone
  }

  init(store: JobStore) { self.store = store }

  /// - Returns: what the database made of it.
  /// - Throws: as `JobStore.finish` does, and of this report only.
  func deliver(_ report: AttemptReport, by worker: WorkerID) async throws -> FinishReply {
    guard isSending else {
      isSending = true
      defer { passOn() }
      return try await send(report, by: worker)
    }
    switch await withCheckedContinuation({ waiting.append(Waiting(worker: worker, report: report, turn: $0)) }) {
    case .answered(let reply): return reply
    case .alone: return try await send(report, by: worker)
    case .lead(let others):
      defer { passOn() }
      return try await send(report, with: others, by: worker)
    }
  }

  private func send(_ report: AttemptReport, by worker: WorkerID) async throws -> FinishReply {
    try await store.finish(worker: worker, attempt: report.attempt, job: report.job, outcome: report.outcome)
  }

  private func send(_ report: AttemptReport, with others: [Waiting], by worker: WorkerID) async throws -> FinishReply {
    guard !others.isEmpty else { return try await send(report, by: worker) }
    do {
      let replies = try await store.finish(worker: worker, reports: [report] + others.map(\.report))
      for (other, reply) in zip(others, replies.dropFirst()) { other.turn.resume(returning: .answered(reply)) }
      return replies[0]
    } catch {
      // What is wrong with all, the connection say, each will meet by itself; what is wrong with one, a report that the
      // database refuses or a task that is cancelled, must not become the others' trouble.
      for other in others { other.turn.resume(returning: .alone) }
      return try await send(report, by: worker)
    }
  }

  /// Whoever has waited longest is next, for all that wait under the same worker's id.
  private func passOn() {
    guard let first = waiting.first else {
      isSending = false
      return
    }
    let others = waiting.dropFirst().filter { $0.worker == first.worker }
    waiting = waiting.dropFirst().filter { $0.worker != first.worker }
    first.turn.resume(returning: .lead(Array(others)))
  }
}
