internal import Glibc
public import Jobs

/// The output folder's housekeeper, on a thread of its own: a folder on a slow network disk must not hold up a heartbeat.
public actor OutputHousekeeper: OutputFolder {
  private let store: ArtifactStore
  private let thread = DedicatedThread(name: "housekeeping")

  /// The housekeeper's own thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  /// - Parameter store: the folder it keeps.
  public init(of store: ArtifactStore) { self.store = store }

  /// See `OutputFolder`.
  public func identity(installation: String) throws -> String? { try store.identity(installation: installation) }
  /// See `OutputFolder`.
  public func remove(jobs: [Int64]) throws {
    for job in jobs { _ = try store.removeFiles(of: job) { _ in true } }
  }
  /// See `OutputFolder`.
  public func remove(files: [AttemptFile]) throws -> Int {
    try Dictionary(grouping: files, by: \.job).reduce(0) { count, entry in
      let attempts = Set(entry.value.map(\.attempt))
      return try count + store.removeFiles(of: entry.key) { attempts.contains($0) }
    }
  }
  /// See `OutputFolder`.
  public func parts() throws -> [String] { try store.shards() }
  /// See `OutputFolder`.
  public func files(in part: String, olderThan age: Duration) throws -> [AttemptFile] {
    try store.attempts(in: part, olderThan: Int(age / .seconds(1)))
  }
}

extension ArtifactStore {
  /// Names the folder, and the database whose files lie in it.
  static let markerName = ".tintype"

  /// The folder's id, drawn by the first worker that ever asked; nil if another database's worker did.
  package func identity(installation: String) throws -> String? {
    try describingFailure(to: "identify the output directory \(root)") {
      let directory = try calls.openRoot(root)
      while true {
        do {
          let bytes = try calls.readFile(RelativePath(Self.markerName), under: directory, limit: 4096)
          let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
          if words.count == 4, words[0] == "output", words[2] == "database" {
            return words[3] == installation ? words[1] : nil
          }
          // Somebody is just writing it, or died doing so.
          let marker = try open(Self.markerName, in: directory)
          guard try fileSystemTime() - calls.status(marker.number).modified > 60 else {
            throw SystemCallError(call: "read", subject: Self.markerName, errno: EAGAIN)
          }
          try calls.unlink(directory.number, Self.markerName, 0)
        } catch let error as SystemCallError where error.errno == ENOENT {
          try? writeMarker("output \(Self.newIdentity()) database \(installation)\n", in: directory)
        }
      }
    }
  }

  private func writeMarker(_ text: String, in directory: borrowing FileDescriptor) throws {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
    let file = FileDescriptor(try calls.open(directory.number, Self.markerName, flags, 0o640))
    _ = try calls.write(file.number, Array(text.utf8)[...])
    try calls.synchronize(file.number)
    try calls.synchronize(directory.number)
  }

  private static func newIdentity() -> String {
    let random = [UInt64.random(in: 0 ... .max), UInt64.random(in: 0 ... .max)]
    return random.map { String($0, radix: 16) }.joined(separator: "-")
  }

  /// The directories of the first level that hold jobs.
  package func shards() throws -> [String] {
    try describingFailure(to: "list \(root)") {
      let directory = try calls.openRoot(root)
      return try calls.list(directory.number).filter { Int64($0) != nil }
    }
  }

  /// Attempts with pictures in a shard, last written at least so many seconds ago by the file system's own clock. Anything
  /// that this program has not named is passed over.
  package func attempts(in shard: String, olderThan seconds: Int) throws -> [AttemptFile] {
    try describingFailure(to: "list \(shard) under \(root)") {
      var found: Set<AttemptFile> = []
      let now = try fileSystemTime()
      let parent = try open(shard, in: calls.openRoot(root))
      for name in try calls.list(parent.number) {
        guard let job = Int64(name), "\(job / 1000)" == shard, "\(job)" == name,
          let directory = try? open(name, in: parent)
        else { continue }
        for file in try calls.list(directory.number) {
          guard let attempt = Self.attempt(of: file), !found.contains(AttemptFile(job: job, attempt: attempt)),
            let picture = try? FileDescriptor(
              calls.open(directory.number, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)),
            let status = try? calls.status(picture.number), status.isRegularFile, now - status.modified >= seconds
          else { continue }
          found.insert(AttemptFile(job: job, attempt: attempt))
        }
      }
      return found.sorted { ($0.job, $0.attempt) < ($1.job, $1.attempt) }
    }
  }

  /// Removes pictures of a job's attempts, and the job's directory when nothing is left in it.
  ///
  /// - Returns: how many pictures went.
  package func removeFiles(of job: Int64, where isUnwanted: (_ attempt: Int64) -> Bool) throws -> Int {
    try describingFailure(to: "remove the pictures of job \(job) under \(root)") {
      var count = 0
      do {
        let shard = try open("\(job / 1000)", in: calls.openRoot(root))
        let directory = try open("\(job)", in: shard)
        for name in try calls.list(directory.number) {
          guard let attempt = Self.attempt(of: name), isUnwanted(attempt) else { continue }
          do {
            try calls.unlink(directory.number, name, 0)
            count += 1
          } catch let error as SystemCallError where error.errno == ENOENT {}
        }
        // Durable before anyone strikes the job off.
        try calls.synchronize(directory.number)
        if try calls.list(directory.number).isEmpty {
          try? calls.unlink(shard.number, "\(job)", AT_REMOVEDIR)
          try calls.synchronize(shard.number)
        }
      } catch let error as SystemCallError where error.errno == ENOENT {}
      return count
    }
  }

  /// `<attempt>-<index>.png`, exactly as `path(job:attempt:index:)` writes it.
  private static func attempt(of name: String) -> Int64? {
    guard name.hasSuffix(".png") else { return nil }
    let parts = name.dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let attempt = Int64(parts[0]), let index = Int(parts[1]), "\(attempt)-\(index).png" == name
    else { return nil }
    return attempt
  }

  private func open(_ name: String, in parent: borrowing FileDescriptor) throws -> FileDescriptor {
    FileDescriptor(try calls.open(parent.number, name, O_RDONLY | O_NOFOLLOW, 0))
  }
}
