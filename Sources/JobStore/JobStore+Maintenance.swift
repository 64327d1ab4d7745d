internal import Postgres

/// What one call of `maintain` did.
public struct MaintenanceReport: Sendable, Equatable {
  /// False: another worker was at it, or had just been, and the counts are zero.
  public var ran: Bool
  /// The database has been away: nothing is rescued until every worker has had the time to renew its lease.
  public var grace: Bool
  /// Scheduled jobs whose time had come.
  public var promoted: Int
  /// Workers whose lease was over.
  public var workersLost: Int
  /// Jobs taken from them and from workers that had stopped.
  public var rescued: Int
  /// Attempts ended because they were past their deadline.
  public var timedOut: Int
  /// Finished jobs deleted after their queue's retention.
  public var pruned: Int
  /// Waiting jobs that failed because their deadline had passed.
  public var expired: Int
  /// Jobs let into the line again because their concurrency key had room.
  public var admitted: Int
  /// Until the next scheduled job is due, zero or less if it is; nil if there is none.
  public var nextDue: Duration?
}

extension JobStore {
  /// Does what is due for all: promotes scheduled jobs, rescues those of dead workers, ends overdue attempts, prunes.
  ///
  /// Every worker calls it every five seconds or so, with jitter; the database lets one at a time do the work. A job is
  /// rescued at most one lease and one such interval after its worker died. Scheduled jobs and retries start when it is
  /// called: `nextDue` says when that is worth while.
  ///
  /// - Parameter unlessWithin: do nothing if another call did it all so recently and no scheduled job is due. Of a
  ///   thousand workers nearly all come within a second of another.
  @discardableResult
  public func maintain(unlessWithin: Duration = .zero) async throws -> MaintenanceReport {
    let row = try await repeatable(
      """
      SELECT ran, grace, promoted, workers_lost, rescued, timed_out, pruned, expired, admitted, next_due
        FROM tintype.maintain(make_interval(secs => $1))
      """,
      [.double(unlessWithin / .seconds(1))]
    ).only()
    return try MaintenanceReport(
      ran: row.decode("ran"), grace: row.decode("grace"), promoted: row.decode("promoted"),
      workersLost: row.decode("workers_lost"), rescued: row.decode("rescued"), timedOut: row.decode("timed_out"),
      pruned: row.decode("pruned"), expired: row.decode("expired"), admitted: row.decode("admitted"),
      nextDue: row.decode("next_due", Double?.self).map { .seconds($0) })
  }
}
