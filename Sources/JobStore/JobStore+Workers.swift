import FoundationEssentials
internal import Postgres

extension JobStore {
  /// Announces a worker process and begins its lease.
  ///
  /// - Throws: `PostgresError`. If the connection is lost, a row may remain that no heartbeat renews; it is marked lost
  ///   when its lease is over.
  public func register(_ worker: WorkerRegistration) async throws -> WorkerID {
    let row = try await once(
      "SELECT tintype.register_worker($1, $2, $3, $4, $5, $6, $7, $8) AS id",
      [
        .text(worker.name), .text(worker.host), .int(Int64(worker.processID)), .text(worker.version),
        .textArray(worker.queues), .textArray(worker.models), .int(Int64(worker.slots)), .interval(worker.lease),
      ]
    ).only()
    return WorkerID(rawValue: try row.decode("id"))
  }

  /// Renews the lease, stores progress and brings back what to do: the only way by which control reaches a worker.
  ///
  /// - Parameter running: every attempt that the worker holds, those included whose outcome is still to be delivered.
  ///   An attempt that is older than the lease and not listed is taken for a claim whose answer was lost, and released.
  /// - Throws: `PostgresError`. Until a heartbeat succeeds again the lease runs on: count from the moment at which the
  ///   last successful one was *sent*.
  public func heartbeat(worker: WorkerID, running: [AttemptProgress]) async throws -> HeartbeatReply {
    let attempts = String(decoding: try JSONEncoder().encode(running), as: UTF8.self)
    let row = try await repeatable(
      "SELECT cancel, revoked, drain, fenced FROM tintype.heartbeat($1, $2)",
      [.int(worker.rawValue), .text(attempts)]
    ).only()
    return try HeartbeatReply(
      cancel: row.decode("cancel"), revoked: row.decode("revoked"), drain: row.decode("drain"),
      fenced: row.decode("fenced"))
  }

  /// Says goodbye. Jobs that the worker still holds are ready again at once, no attempt spent.
  ///
  /// - Returns: how many jobs it still held.
  @discardableResult
  public func stop(worker: WorkerID) async throws -> Int {
    try await repeatable("SELECT tintype.stop_worker($1) AS released", [.int(worker.rawValue)]).only()
      .decode("released")
  }
}
