import Glibc

/// Something that goes wrong.
enum Fault: Sendable, CustomStringConvertible {
  /// A worker gets a signal: at once, or when it comes to a point of its work.
  case kill(FaultPoint?)
  /// SIGSTOP, and SIGCONT after so many seconds: longer than a lease, or shorter.
  case freeze(FaultPoint?, seconds: Double)
  /// SIGTERM, and perhaps a second one for the impatient.
  case terminate(FaultPoint?, twice: Bool)
  /// An administrator drains a worker.
  case drain
  /// A worker's connections break, and both ends are told.
  case cut
  /// What is sent either way arrives only after so many seconds.
  case hold(seconds: Double)
  /// One end of a worker's connections is gone and the other is not told.
  case halfOpen(gone: NetworkProxy.End)
  case databaseRestart
  case databaseCrash
  /// `pg_terminate_backend` of a worker's session.
  case endSession
  /// `pg_cancel_backend` of a worker's session.
  case cancelStatement
  /// Somebody holds the table of jobs for so long.
  case lockTable(seconds: Double)
  /// Somebody takes locks in the wrong order, and waits longer than a worker does.
  case deadlock
  /// A worker's files fail.
  case files(FileFault, seconds: Double)
  /// A worker's clock is set.
  case workerClock(step: Double)
  /// The database's clock is set, and set right again later.
  case databaseClock(step: Double, seconds: Double)
  /// The queue is paused for a while.
  case pause(seconds: Double)

  enum FileFault: String, Sendable, CaseIterable {
    case diskFull, quota, readOnly, fsync, rename, unlink, shortWrites
  }

  /// What the report counts it as.
  var kind: String {
    switch self {
    case .kill: "kill"
    case .freeze: "freeze"
    case .terminate(_, let twice): twice ? "terminate twice" : "terminate"
    case .drain: "drain"
    case .cut: "cut"
    case .hold: "hold"
    case .halfOpen: "half-open"
    case .databaseRestart: "database restart"
    case .databaseCrash: "database crash"
    case .endSession: "end session"
    case .cancelStatement: "cancel statement"
    case .lockTable: "lock table"
    case .deadlock: "deadlock"
    case .files(let fault, _): "files: \(fault.rawValue)"
    case .workerClock: "worker's clock"
    case .databaseClock: "database's clock"
    case .pause: "pause"
    }
  }

  var description: String {
    switch self {
    case .kill(let point): "kill\(Self.at(point))"
    case .freeze(let point, let seconds): "freeze\(Self.at(point)) for \(Self.short(seconds)) s"
    case .terminate(let point, let twice): "terminate\(twice ? " twice" : "")\(Self.at(point))"
    case .hold(let seconds), .lockTable(let seconds), .pause(let seconds): "\(kind) for \(Self.short(seconds)) s"
    case .halfOpen(let gone): "half-open, the \(gone) is gone"
    case .files(_, let seconds): "\(kind) for \(Self.short(seconds)) s"
    case .workerClock(let step): "worker's clock by \(Self.short(step)) s"
    case .databaseClock(let step, let seconds):
      "database's clock by \(Self.short(step)) s for \(Self.short(seconds)) s"
    case .drain, .cut, .databaseRestart, .databaseCrash, .endSession, .cancelStatement, .deadlock: kind
    }
  }

  private static func at(_ point: FaultPoint?) -> String { point.map { " \($0)" } ?? "" }
  private static func short(_ seconds: Double) -> Double { (seconds * 10).rounded() / 10 }
}

/// Where in its work a program is hit: `enum fault_point` in `Tests/Faults/include/faults.h`.
enum FaultPoint: Int32, Sendable, CaseIterable {
  case beforeWrite = 1, afterWrite, beforeFsync, afterFsync, beforeRename, afterRename, beforeUnlink, beforeSend,
    afterSend
}

extension Fault {
  /// The faults of a seed, without end.
  ///
  /// - Parameter lease: the workers', in seconds.
  static func next(_ random: inout SeededGenerator, lease: Double) -> Fault {
    // A point in three, for any moment is the commonest in life, and points are where mistakes are.
    func point(_ random: inout SeededGenerator) -> FaultPoint? {
      random.oneIn(3) ? nil : random.pick(FaultPoint.allCases)
    }
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<16: return .kill(point(&random))
    case 16..<28:
      return .freeze(
        point(&random), seconds: random.seconds(random.oneIn(3) ? 0.2...lease * 0.7 : lease * 1.3...lease * 2.2))
    case 28..<40: return .terminate(point(&random), twice: random.oneIn(3))
    case 40..<42: return .drain
    case 42..<48: return .cut
    case 48..<54: return .hold(seconds: random.seconds(0.3...lease * 2))
    case 54..<59: return .halfOpen(gone: random.oneIn(2) ? .server : .client)
    case 59..<62: return .databaseRestart
    case 62..<65: return .databaseCrash
    case 65..<69: return .endSession
    case 69..<72: return .cancelStatement
    case 72..<75: return .lockTable(seconds: random.seconds(0.3...lease * 1.2))
    case 75..<80: return .deadlock
    case 80..<92: return .files(random.pick(FileFault.allCases), seconds: random.seconds(0.5...3))
    case 92..<95: return .workerClock(step: random.pick([-86_400, -30, 30, 7200]))
    // Never further than the run can wait for: a job that is tried again waits by this clock.
    case 95..<97: return .databaseClock(step: random.pick([-8, 8, 40]), seconds: random.seconds(1...4))
    default: return .pause(seconds: random.seconds(0.3...2))
    }
  }
}
