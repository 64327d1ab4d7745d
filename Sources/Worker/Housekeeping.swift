internal import JobStore
internal import Jobs
internal import Logging

/// Keeps the output folder and the rows together: removes the files of deleted jobs, and files that a crash left for nobody.
///
/// The order to remove a job's files is written in the transaction that deletes its row, and struck off only after the
/// files are gone. So a crash leaves the order, never a row without its file or a file for good.
struct Housekeeping: Sendable {
  let store: JobStore
  let folder: any OutputFolder
  let registration: Registration
  let configuration: WorkerConfiguration
  let logger: Logger

  /// Until the task is cancelled.
  func run() async {
    var owner: WorkerID?
    var parts: [String] = []
    while !Task.isCancelled {
      do {
        if let workerID = registration.workerID {
          if owner != workerID {
            guard let identity = try await folder.identity(installation: store.installationID()) else {
              logger.notice(
                "the output folder belongs to another database, so nothing is ever removed from it; if that one is gone, delete the folder's .tintype file"
              )
              return
            }
            try await store.own(output: identity, worker: workerID)
            owner = workerID
          }
          try await removeDeleted(workerID)
          if parts.isEmpty { parts = try await folder.parts().shuffled() }
          if let part = parts.popLast() { try await sweep(part, workerID) }
        }
      } catch is CancellationError {
        return
      } catch {
        logger.warning("housekeeping failed; trying again", metadata: .init([.error: "\(error)"]))
      }
      try? await Task.sleep(for: configuration.housekeepingInterval.jittered())
    }
  }

  private func removeDeleted(_ workerID: WorkerID) async throws {
    while true {
      let jobs = try await store.removalsDue(worker: workerID)
      guard !jobs.isEmpty else { return }
      try await folder.remove(jobs: jobs)
      try await store.removalsDone(worker: workerID, jobs: jobs)
      logger.info("removed the files of deleted jobs: \(jobs.count)")
    }
  }

  private func sweep(_ part: String, _ workerID: WorkerID) async throws {
    var rest = try await folder.files(in: part, olderThan: configuration.orphanAge)[...]
    while !rest.isEmpty {
      let some = Array(rest.prefix(1000))
      rest = rest.dropFirst(some.count)
      let orphans = Set(try await store.orphans(worker: workerID, among: some))
      let removed = try await folder.remove(files: some.filter { orphans.contains($0.attempt) })
      if removed > 0 { logger.info("removed pictures that failed attempts had left: \(removed)") }
    }
  }
}
