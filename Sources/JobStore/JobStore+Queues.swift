internal import Postgres

/// A row of the view `tintype.queue_status`.
public struct QueueStatus: Sendable, Equatable, Encodable {
  /// `queue_status.queue`.
  public var queue: String
  public var ready: Int, scheduled: Int, blocked: Int, running: Int
  /// Most jobs running at once; nil for no limit.
  public var maxRunning: Int?
  /// How long the first ready job has waited, in seconds.
  public var oldestReady: Double?
  /// Live workers that serve it.
  public var workers: Int
  /// `queue_status.paused_at`.
  public var isPaused: Bool
  /// `queue_status.paused_by`.
  public var pausedBy: String?
  /// `queue_status.pause_reason`.
  public var pauseReason: String?
}

/// A row of the view `tintype.worker_status`.
public struct WorkerStatus: Sendable, Equatable, Encodable {
  /// `worker_status.id`.
  public var id: Int64
  public var name: String, host: String
  /// `worker_status.pid`.
  public var processID: Int32
  /// `worker_status.version`.
  public var version: String
  public var queues: [String], models: [String]
  /// `worker_status.slots`.
  public var slots: Int
  /// Jobs it holds.
  public var running: Int
  /// `running`, `draining`, `silent` (its lease is over), `lost` or `stopped`.
  public var state: String
  /// Seconds since its last heartbeat.
  public var silentFor: Double
}

extension JobStore {
  /// Claims nothing more from a queue until `resume`. What runs, runs on.
  public func pause(queue: String, reason: String?) async throws {
    _ = try await repeatable("SELECT tintype.pause($1, $2)", [.text(queue), .optional(reason)])
  }

  /// Opens a paused queue.
  public func resume(queue: String) async throws {
    _ = try await repeatable("SELECT tintype.resume($1)", [.text(queue)])
  }

  /// Tells a worker to finish what it runs, claim nothing more and exit.
  ///
  /// - Throws: `PostgresError`, P0002 if there is no such live worker.
  public func drain(worker: WorkerID) async throws {
    _ = try await repeatable("SELECT tintype.drain($1)", [.int(worker.rawValue)])
  }

  /// Every queue, by name.
  public func queueStatus() async throws -> [QueueStatus] {
    try await repeatable(
      """
      SELECT queue, ready, scheduled, blocked, running, max_running, extract(epoch FROM oldest_ready) AS oldest_ready,
             workers, paused_at IS NOT NULL AS is_paused, paused_by, pause_reason
        FROM tintype.queue_status ORDER BY queue
      """
    ).rows.map { row in
      try QueueStatus(
        queue: row.decode("queue"), ready: row.decode("ready"), scheduled: row.decode("scheduled"),
        blocked: row.decode("blocked"), running: row.decode("running"), maxRunning: row.decode("max_running"),
        oldestReady: row.decode("oldest_ready"), workers: row.decode("workers"), isPaused: row.decode("is_paused"),
        pausedBy: row.decode("paused_by"), pauseReason: row.decode("pause_reason"))
    }
  }

  /// The live workers and those that ended within a day, newest first.
  public func workerStatus() async throws -> [WorkerStatus] {
    try await repeatable(
      """
      SELECT id, name, host, pid, version, queues, models, slots, running, state,
             extract(epoch FROM silent_for) AS silent_for
        FROM tintype.worker_status ORDER BY id DESC
      """
    ).rows.map { row in
      try WorkerStatus(
        id: row.decode("id"), name: row.decode("name"), host: row.decode("host"), processID: row.decode("pid"),
        version: row.decode("version"), queues: row.decode("queues"), models: row.decode("models"),
        slots: row.decode("slots"), running: row.decode("running"), state: row.decode("state"),
        silentFor: row.decode("silent_for"))
    }
  }
}
