/// Where a worker writes pictures, as the queue's housekeeping sees it: files of deleted jobs are removed there, and files
/// that a crash left for nobody.
public protocol OutputFolder: Sendable {
  /// Which folder this is. The first database whose worker asks makes it its own.
  ///
  /// - Parameter installation: `tintype.installation_id()`, which database asks.
  /// - Returns: the same for every worker that shares the folder; nil if it belongs to another database, whose files
  ///   nobody else can judge.
  func identity(installation: String) async throws -> String?

  /// Removes everything that attempts of these jobs left. What is gone already is fine.
  func remove(jobs: [Int64]) async throws

  /// Removes what attempts left of these files.
  ///
  /// - Returns: how many files went.
  func remove(files: [AttemptFile]) async throws -> Int

  /// The folder's parts, each of which can be searched in a moment.
  func parts() async throws -> [String]

  /// Attempts that have pictures in a part, last written at least so long ago by the clock that the files' times are from,
  /// which need not be this machine's.
  func files(in part: String, olderThan age: Duration) async throws -> [AttemptFile]
}

/// Files of an attempt, found in an output folder.
public struct AttemptFile: Sendable, Hashable {
  /// `attempts.job_id` and `attempts.id`, from the file's path.
  public var job: Int64, attempt: Int64

  /// Files of an attempt.
  public init(job: Int64, attempt: Int64) {
    self.job = job
    self.attempt = attempt
  }
}
