/// How a worker behaves; every default suits a single machine.
public struct WorkerConfiguration: Sendable {
  /// What `workers.name` and the logs call it; stays the same over restarts.
  public var name: String
  /// The machine, for `workers.host`.
  public var host: String
  /// Tintype's version, for `workers.version`.
  public var version: String
  /// The queues it serves.
  public var queues: [String] = ["default"]
  /// How many jobs are held at once. One, because a single picture already keeps all cores busy; with two, files are read and
  /// written meanwhile.
  public var slots = 1
  /// Claim for several slots only jobs of one shape: same model, size, steps and kind of start.
  public var claimsAlike = false
  /// How long the database waits for a heartbeat before it gives the jobs to others.
  public var lease: Duration = .seconds(20)
  /// Time between heartbeats, ± 20 %. A cancel reaches a running job within one even when no notification does.
  public var heartbeatInterval: Duration = .seconds(4)
  /// Time between looks for work when no notification comes, ± 20 %.
  public var pollInterval: Duration = .seconds(2)
  /// Time between calls of the queue's maintenance, ± 20 %.
  public var maintenanceInterval: Duration = .seconds(5)
  /// Time between two rounds of housekeeping in the output folder, ± 20 %.
  public var housekeepingInterval: Duration = .seconds(30)
  /// How old a picture must be before it may count as left behind. Much longer than any attempt's last words take.
  public var orphanAge: Duration = .seconds(3600)
  /// How long running jobs may go on after a request to stop; then they are stopped and given back, no attempt spent.
  public var drainTimeout: Duration = .seconds(60)
  /// How long a stopped job and its last words to the database may take before they are abandoned to the lease.
  public var stopGrace: Duration = .seconds(15)
  /// End after so many jobs; nil: never.
  public var maxJobs: Int?
  /// End after so long without a job; nil: never.
  public var idleExit: Duration?
  /// What counts as hung: stops the attempt, and feeds systemd's watchdog no more.
  public var liveness = Liveness()

  /// The defaults, under a name.
  public init(name: String, host: String, version: String) {
    self.name = name
    self.host = host
    self.version = version
  }
}
