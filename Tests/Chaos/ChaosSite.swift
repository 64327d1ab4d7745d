import Foundation
import Postgres
import Synchronization
import TestSupport

/// An installation that things go wrong in: a database server of its own, an output folder, and places for workers, each of
/// which is filled again whenever its worker has ended.
final class ChaosSite: Sendable {
  /// Where a worker runs; the proxy and the page outlive it.
  final class Place: Sendable {
    let number: Int
    let proxy: NetworkProxy
    let page: FaultPage
    fileprivate let current = Mutex<WorkerProcess?>(nil)
    /// One fault at a time concerns a place.
    fileprivate let isBusy = Mutex(false)

    var worker: WorkerProcess? { current.withLock { $0 } }

    fileprivate init(number: Int, proxy: NetworkProxy, page: FaultPage) {
      self.number = number
      self.proxy = proxy
      self.page = page
    }
  }

  static let leaseSeconds = 4.0

  let folder: TemporaryFolder
  let cluster: PrivateCluster
  let databasePage: FaultPage
  let places: [Place]
  /// A session of its own for whoever asks; as the owner, and past every fault of the network.
  let administrator: PostgresConfiguration
  /// Of each worker, in seconds.
  private let lease: Double
  private let library: String
  private let isOpen = Mutex(true)
  private let ended = Mutex<[WorkerProcess]>([])

  var output: String { folder.path("output") }

  init(workers: Int, lease: Double = ChaosSite.leaseSeconds) async throws {
    self.lease = lease
    folder = try TemporaryFolder()
    library = try FaultLibrary.install(in: folder)
    databasePage = try FaultPage(in: folder, name: "page-of-the-database")
    cluster = try await PrivateCluster.start(
      environment: ["LD_PRELOAD": library, "TINTYPE_FAULT_PAGE": databasePage.path])
    administrator = PostgresConfiguration(url: cluster.url(), applicationName: "chaos")
    try FileManager.default.createDirectory(atPath: folder.path("output"), withIntermediateDirectories: false)
    let (folder, cluster) = (folder, cluster)
    places = try (0..<workers).map {
      Place(
        number: $0, proxy: try NetworkProxy(to: cluster, in: folder, name: "p\($0)"),
        page: try FaultPage(in: folder, name: "page-\($0)"))
    }
    try await migrate()
  }

  private func migrate() async throws {
    let outcome = try await Tool.run("migrate", "--database-url", cluster.url())
    guard outcome.status == 0 else { throw Complaint("tintype migrate: \(outcome.status)\n\(outcome.errors)") }
    try await cluster.psql(
      "CREATE ROLE chaos_worker LOGIN IN ROLE tintype_worker",
      // Everything is tried again until it succeeds, so whatever fails in the end has met a mistake and not bad luck.
      """
      UPDATE tintype.queues SET max_attempts = 100, max_losses = 100, retry_base = '100 milliseconds', retry_cap = '1 second'
      """, Books.recorder)
  }

  /// Keeps every place filled until `close`.
  func run() async {
    await withDiscardingTaskGroup { group in
      for place in places {
        group.addTask { await self.fill(place) }
      }
    }
  }

  /// Every worker there was, in the order of their ends; after `run` has returned.
  var allWorkers: [WorkerProcess] { ended.withLock { $0 } }

  /// Ends the workers as an operator would, and fills no place any more.
  func close() {
    isOpen.withLock { $0 = false }
    for place in places { place.worker?.send(SIGTERM) }
  }

  /// Lets an hour pass for files and database, and one worker keep house, until `isDone` or for a minute, which a correct worker
  /// does not need.
  ///
  /// Nothing that might still belong to somebody is touched sooner than that by housekeeping, so the times are set back.
  func keepHouse(until isDone: () async throws -> Bool) async throws {
    _ = try await ProcessLaunch.output(
      of: "find", output, "-type", "f", "-exec", "touch", "-d", "2 hours ago", "{}", "+")
    databasePage.setClock(offBy: 3600)
    let worker = try launch("housekeeper", at: places[0])
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !isDone(), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(200)) }
    worker.send(SIGTERM)
    _ = await worker.exitStatus()
    ended.withLock { $0.append(worker) }
    databasePage.setClock(offBy: 0)
  }

  /// Ends all that is left, whatever happened.
  func takeDown() async {
    isOpen.withLock { $0 = false }
    for place in places {
      place.worker?.send(SIGKILL)
      place.proxy.stop()
    }
    await cluster.remove()
  }

  /// Runs `body` with a place that no other fault concerns, beginning to look at `number`; not at all if there is none.
  func withPlace(_ number: Int, _ body: (Place) async throws -> Void) async rethrows -> Bool {
    let found = places.indices.lazy.map { self.places[(number + $0) % self.places.count] }.first { place in
      place.isBusy.withLock { isBusy in
        defer { isBusy = true }
        return !isBusy
      }
    }
    guard let found else { return false }
    defer { found.isBusy.withLock { $0 = false } }
    try await body(found)
    return true
  }

  private func fill(_ place: Place) async {
    var start = 0
    while isOpen.withLock({ $0 }) {
      start += 1
      do {
        let worker = try launch("worker-\(place.number)-\(start)", at: place)
        place.current.withLock { $0 = worker }
        // Closed while it was being started: whoever closed has not seen it, and it would wait for work until it gives up.
        if !isOpen.withLock({ $0 }) { worker.send(SIGTERM) }
        _ = await worker.exitStatus()
        ended.withLock { $0.append(worker) }
        place.page.endFileFaults()
        _ = place.page.disarm()
      } catch {
        // Out of processes or descriptors: the run's own books would show it as jobs that never end.
        FileHandle.standardError.write(Data("chaos: a worker could not be started: \(error)\n".utf8))
      }
      try? await Task.sleep(for: .milliseconds(200))
    }
    place.current.withLock { $0 = nil }
  }

  private func launch(_ name: String, at place: Place) throws -> WorkerProcess {
    // Some give up work at once when told to stop, some finish it.
    let drain = ["0.2", "2", "30"][place.number % 3]
    return try WorkerProcess(
      name: name,
      arguments: [
        "worker", "--database-url", place.proxy.url(user: "chaos_worker"), "--model", "demo=\(Tool.demoModel)",
        "--output", output, "--threads", "1", "--name", name, "--lease", "\(lease)", "--drain-timeout",
        drain, "--log-format", "json", "--log-level", "debug",
        // If this process is killed: the workers end by themselves.
        "--idle-exit", "120",
      ],
      environment: [
        "LD_PRELOAD": library, "TINTYPE_FAULT_PAGE": place.page.path, "TINTYPE_FAULT_ROOT": output,
      ])
  }
}
