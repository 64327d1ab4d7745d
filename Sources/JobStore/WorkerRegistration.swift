/// A worker process as it introduces itself.
public struct WorkerRegistration: Sendable, Equatable {
  /// What its operator calls it; need not be unique.
  public var name: String
  /// `workers.host`.
  public var host: String
  /// `workers.pid`.
  public var processID: Int32
  /// `workers.version`.
  public var version: String
  /// Created when missing.
  public var queues: [String]
  /// Models by name, the default first.
  public var models: [String]
  /// Jobs that it runs at once.
  public var slots: Int
  /// How long after its last heartbeat it counts as alive. With a heartbeat every quarter of it and `maintain` every
  /// five seconds, the default of 20 s has a dead worker's jobs rescued within 25 s.
  public var lease: Duration

  /// A registration; the lease has a default.
  public init(
    name: String, host: String, processID: Int32, version: String, queues: [String], models: [String], slots: Int,
    lease: Duration = .seconds(20)
  ) {
    self.name = name
    self.host = host
    self.processID = processID
    self.version = version
    self.queues = queues
    self.models = models
    self.slots = slots
    self.lease = lease
  }
}

/// `workers.id`: one start of a worker process. Never reused.
public struct WorkerID: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  /// The number.
  public let rawValue: Int64
  /// A worker by its number.
  public init(rawValue: Int64) { self.rawValue = rawValue }
  /// The number, as notifications carry it.
  public var description: String { String(rawValue) }
}

/// An attempt that a worker holds, and how far it has got.
public struct AttemptProgress: Sendable, Equatable, Encodable {
  /// `attempts.id`.
  public var attemptID: Int64
  /// Nil before the first report.
  public var phase: String?
  /// Denoising steps begun.
  public var step: Int
  /// Share of the work done, 0…1.
  public var fraction: Double

  /// An attempt without a report yet, unless given.
  public init(attemptID: Int64, phase: String? = nil, step: Int = 0, fraction: Double = 0) {
    self.attemptID = attemptID
    self.phase = phase
    self.step = step
    self.fraction = fraction
  }

  private enum CodingKeys: String, CodingKey {
    case attemptID = "attempt"
    case phase, step
    case fraction = "progress"
  }
}

/// What a worker must do now.
public struct HeartbeatReply: Sendable, Equatable {
  /// Attempts to stop because someone cancelled their job: finish them with `.cancelled`.
  public var cancel: [Int64]
  /// Listed attempts that no longer hold their job: stop them, drop their outcome, remove their files.
  public var revoked: [Int64]
  /// Finish what runs, claim nothing, exit.
  public var drain: Bool
  /// This worker has been declared lost, or has stopped: everything is revoked. Register anew to go on.
  public var fenced: Bool

  /// A reply.
  public init(cancel: [Int64] = [], revoked: [Int64] = [], drain: Bool = false, fenced: Bool = false) {
    self.cancel = cancel
    self.revoked = revoked
    self.drain = drain
    self.fenced = fenced
  }
}
