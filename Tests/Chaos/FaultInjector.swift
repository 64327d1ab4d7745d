import Foundation
import Glibc
import Postgres
import Synchronization
import TestSupport

/// Does what a `Fault` says, to its end: when `inject` returns, the fault is over.
final class FaultInjector: Sendable {
  private let site: ChaosSite
  /// What concerns the whole server happens one at a time.
  private let serverTurn = Mutex(false)

  init(site: ChaosSite) { self.site = site }

  /// - Parameters:
  ///   - place: where it happens if it concerns one worker, or one near it if that one has a fault already.
  ///   - tail: for what is left to chance within a fault.
  /// - Returns: false when it could not be done: there was nobody to do it to.
  func inject(_ fault: Fault, at place: Int, tail: UInt64) async -> Bool {
    var random = SeededGenerator(seed: tail)
    do {
      switch fault {
      case .databaseRestart: return try await withServer { try await site.cluster.restart(.fast) }
      case .databaseCrash: return try await withServer { try await site.cluster.restart(.immediate) }
      case .databaseClock(let step, let seconds):
        return try await withServer {
          site.databasePage.setClock(offBy: step)
          defer { site.databasePage.setClock(offBy: 0) }
          try await Task.sleep(for: .seconds(seconds))
        }
      case .lockTable(let seconds): return try await withServer { try await lockTable(seconds) }
      case .deadlock:
        let isDone = Mutex(false)
        _ = try await withServer {
          let happened = try await deadlock()
          isDone.withLock { $0 = happened }
        }
        return isDone.withLock { $0 }
      case .pause(let seconds): return try await withServer { try await pause(seconds) }
      default:
        var isDone = false
        let isFound = try await site.withPlace(place) { isDone = try await inject(fault, into: $0, &random) }
        return isFound && isDone
      }
    } catch {
      // A statement of ours ran into another fault.
      return false
    }
  }

  private func withServer(_ body: () async throws -> Void) async throws -> Bool {
    let isMine = serverTurn.withLock { isTaken in
      defer { isTaken = true }
      return !isTaken
    }
    guard isMine else { return false }
    defer { serverTurn.withLock { $0 = false } }
    try await body()
    return true
  }

  // MARK: One worker

  private func inject(
    _ fault: Fault, into place: ChaosSite.Place, _ random: inout SeededGenerator
  ) async throws -> Bool {
    guard let worker = place.worker, worker.isRunning else { return false }
    switch fault {
    case .kill(let point):
      await raise(SIGKILL, in: worker, at: point, place.page) { !worker.isRunning }
      _ = await worker.exitStatus()
    case .freeze(let point, let seconds):
      await raise(SIGSTOP, in: worker, at: point, place.page) { worker.isStopped || !worker.isRunning }
      let since = ContinuousClock.now
      try? await Task.sleep(for: .seconds(seconds))
      worker.thaw(since: since)
    case .terminate(let point, let twice):
      await raise(SIGTERM, in: worker, at: point, place.page) { true }
      if twice {
        try? await Task.sleep(for: .seconds(random.seconds(0...0.6)))
        worker.send(SIGTERM)
      }
      _ = await worker.exitStatus()
    case .drain:
      guard try await onWorker(worker, "SELECT tintype.drain(w.id) FROM tintype.workers w") else { return false }
      // Stands for the request in the list of signals: the exit is expected.
      worker.note(SIGTERM)
      _ = await worker.exitStatus()
    case .cut: place.proxy.cut()
    case .hold(let seconds):
      place.proxy.hold()
      try? await Task.sleep(for: .seconds(seconds))
      place.proxy.release()
    case .halfOpen(let gone): place.proxy.lose(gone)
    case .endSession: return try await onSession(of: worker, "pg_terminate_backend", &random)
    case .cancelStatement: return try await onSession(of: worker, "pg_cancel_backend", &random)
    case .files(let kind, let seconds):
      place.page.begin(kind, oneIn: random.pick([1, 1, 3]))
      try? await Task.sleep(for: .seconds(seconds))
      place.page.endFileFaults()
    case .workerClock(let step): place.page.setClock(offBy: step)
    default: preconditionFailure("\(fault) does not concern one worker")
    }
    return true
  }

  /// Sends a signal, or has the process send it to itself at a point; if it does not come there within three seconds, it
  /// gets the signal where it is.
  private func raise(
    _ signal: Int32, in worker: WorkerProcess, at point: FaultPoint?, _ page: FaultPage, until isDone: () -> Bool
  ) async {
    if let point {
      worker.note(signal)
      page.arm(signal, at: point)
      let deadline = ContinuousClock.now + .seconds(3)
      while page[.raiseAt] != 0, worker.isRunning, ContinuousClock.now < deadline {
        try? await Task.sleep(for: .milliseconds(2))
      }
      if page.disarm() { worker.send(signal) }
    } else {
      worker.send(signal)
    }
    while !isDone() { try? await Task.sleep(for: .milliseconds(2)) }
  }

  private func onWorker(_ worker: WorkerProcess, _ select: String) async throws -> Bool {
    try await withAdministrator { connection in
      try await connection.query("\(select) WHERE w.name = '\(worker.name)' AND w.ended_at IS NULL").rows.count > 0
    }
  }

  /// The worker's sessions all have one name; its process id is not the server's peer, the proxy is. So: any session of any
  /// worker.
  private func onSession(
    of worker: WorkerProcess, _ function: String, _ random: inout SeededGenerator
  ) async throws -> Bool {
    let chance = random.seconds(0...1)
    return try await withAdministrator { connection in
      try await connection.query(
        """
        SELECT \(function)(pid) FROM (
          SELECT pid FROM pg_stat_activity WHERE usename = 'chaos_worker' AND pid <> pg_backend_pid() ORDER BY pid
           OFFSET floor(\(chance) * (SELECT count(*) FROM pg_stat_activity WHERE usename = 'chaos_worker')) LIMIT 1) s
        """
      ).rows.count > 0
    }
  }

  // MARK: The database

  private func lockTable(_ seconds: Double) async throws {
    try await withAdministrator { connection in
      try await connection.execute(
        "BEGIN; SET LOCAL lock_timeout = '5 s'; LOCK TABLE tintype.jobs; SELECT pg_sleep(\(seconds)); COMMIT")
    }
  }

  private func pause(_ seconds: Double) async throws {
    try await withAdministrator { try await $0.query("SELECT tintype.pause('default', 'chaos')") }
    try? await Task.sleep(for: .seconds(seconds))
    // Until it is heard: a queue that stays paused is not a fault but a decision.
    while true {
      do {
        return try await withAdministrator { try await $0.query("SELECT tintype.resume('default')") }
      } catch { try await Task.sleep(for: .milliseconds(200)) }
    }
  }

  /// A worker that ends an attempt locks the job, then the attempt. This locks the attempt, waits for the worker to
  /// stand there with the job in its hand, and asks for the job.
  ///
  /// - Returns: whether the circle closed and the worker was the one who had to give way.
  private func deadlock() async throws -> Bool {
    try await withAdministrator { connection in
      // The other one is to be the victim: whoever has waited for this long looks whether it waits in a circle.
      try await connection.execute("SET deadlock_timeout = '20 s'; SET lock_timeout = '10 s'")
      return try await connection.transaction { connection in
        let held = try await connection.query(
          "SELECT job_id FROM tintype.attempts WHERE finished_at IS NULL ORDER BY id DESC LIMIT 1 FOR UPDATE")
        guard let job = try held.rows.first?.decode("job_id", Int64.self) else { return false }
        var victims = 0
        for _ in 0..<200 where victims == 0 {
          // Of the locks, which are as they are; pg_stat_activity stays as a transaction first saw it.
          let waiting = try await connection.query(
            "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))")
          victims = waiting.rows.count
          if victims == 0 { try await Task.sleep(for: .milliseconds(20)) }
        }
        guard victims > 0 else { return false }
        // Granted when the victim has let go.
        try await connection.query("SELECT FROM tintype.jobs WHERE id = $1 FOR UPDATE", [.int(job)])
        return true
      }
    }
  }

  @discardableResult
  private func withAdministrator<R: Sendable>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
    let connection = try await PostgresConnection.connect(site.administrator)
    do {
      let result = try await body(connection)
      await connection.close()
      return result
    } catch {
      await connection.close()
      throw error
    }
  }
}
