internal import Glibc
internal import Jobs

/// Pictures on disk, each complete and durable under its final name or not there at all.
///
/// A picture's path is `<job ÷ 1000>/<job>/<attempt>-<index>.png`. The attempt id, drawn from a sequence, is in it so that a
/// worker which lost its lease can never overwrite the picture of the one that took over. It is sharded by job and not by
/// date, because a path must not depend on a worker's clock: two runs of one job on two sides of midnight would lie in
/// two places, and nobody could tell from a job's id where to look. No directory of the first two levels holds more than a
/// thousand jobs.
///
/// Nothing is written through a symbolic link below the root.
public struct ArtifactStore: Sendable {
  /// The output root, as the operator gave it.
  public let root: String
  /// Prefix of this worker's unfinished files.
  private let workerName: String
  let calls: SystemCalls

  /// Where unfinished files lie, below the root: in one place, so that what a crash left is found without walking the
  /// pictures of a million jobs. It is on the root's file system, so renaming out of it is atomic.
  static let partialDirectory = ".partial"

  /// Opens the store, making `root` when only its last part is missing.
  ///
  /// - Parameters:
  ///   - root: directory for the pictures.
  ///   - workerName: no two live workers that share a root may share it.
  /// - Throws: `JobError` when the directory cannot be used.
  public init(root: String, workerName: String) throws {
    try self.init(root: root, workerName: workerName, calls: .kernel)
  }

  package init(root: String, workerName: String, calls: SystemCalls) throws {
    self.root = root
    self.workerName = String(workerName.map { $0 == "/" || $0 == "\0" ? "_" : $0 }.prefix(64))
    self.calls = calls
    try describingFailure(to: "prepare the output directory \(root)") {
      try ignoring(EEXIST) { try calls.makeDirectory(AT_FDCWD, root, 0o750) }
      let directory = try calls.openRoot(root)
      try ignoring(EEXIST) { try calls.makeDirectory(directory.number, Self.partialDirectory, 0o750) }
    }
  }

  /// The path of a picture, relative to the root.
  public static func path(job: Int64, attempt: Int64, index: Int) -> String {
    "\(job / 1000)/\(job)/\(attempt)-\(index).png"
  }

  /// Writes a picture so that it survives a power cut: a temporary file, fsync, rename, fsync of every directory on the
  /// way. When this throws, nothing is left under the final name.
  ///
  /// - Returns: the path relative to the root and the SHA-256 of `bytes`.
  /// - Throws: `JobError`, retryable: another worker, or this one a little later, may have room.
  public func write(
    _ bytes: [UInt8], job: Int64, attempt: Int64, index: Int
  ) throws -> (path: String, sha256: [UInt8]) {
    let path = Self.path(job: job, attempt: attempt, index: index)
    try describingFailure(to: "write \(path) under \(root)") {
      let rootDirectory = try calls.openRoot(root)
      let partial = try openDirectory(Self.partialDirectory, in: rootDirectory)
      let shard = try openDirectory("\(job / 1000)", in: rootDirectory)
      let directory = try openDirectory("\(job)", in: shard)
      let temporary = "\(workerName).\(attempt)-\(index)"
      let name = "\(attempt)-\(index).png"
      do {
        try writeDurably(bytes, to: temporary, in: partial)
        try calls.rename(partial.number, temporary, directory.number, name)
        // Also the parents, and also when they were there already: whoever made them a moment ago may not have reached
        // its own fsync yet.
        try calls.synchronize(directory.number)
        try calls.synchronize(shard.number)
        try calls.synchronize(rootDirectory.number)
      } catch {
        try? calls.unlink(partial.number, temporary, 0)
        try? calls.unlink(directory.number, name, 0)
        throw error
      }
    }
    return (path, SHA256.hash(bytes))
  }

  /// Finds out whether pictures can be written, by writing a byte where unfinished pictures lie and removing it.
  ///
  /// - Throws: `JobError` that says what is wrong and what to do.
  public func probe() throws {
    try describingFailure(to: "write below \(root)") {
      let partial = try openDirectory(Self.partialDirectory, in: calls.openRoot(root))
      let name = "\(workerName).probe"
      defer { try? calls.unlink(partial.number, name, 0) }
      try writeDurably([0], to: name, in: partial)
    }
  }

  /// Removes pictures of an attempt that lost its lease; those already gone are fine.
  ///
  /// - Throws: `JobError` when one of them could not be removed; the others are.
  public func remove(paths: [String]) throws {
    var firstFailure: (any Error)?
    for path in paths {
      do {
        try describingFailure(to: "remove \(path) under \(root)") {
          try ignoring(ENOENT) {
            let parts = try RelativePath(path).parts
            var directory = try calls.openRoot(root)
            for part in parts.dropLast() {
              directory = FileDescriptor(
                try calls.open(directory.number, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0))
            }
            try calls.unlink(directory.number, parts[parts.count - 1], 0)
          }
        }
      } catch {
        firstFailure = firstFailure ?? error
      }
    }
    if let firstFailure { throw firstFailure }
  }

  /// Removes unfinished files that a crash left: this worker's at once, since it writes none before it has started, and
  /// another's once nobody has written to them for an hour; writing a picture takes well under a second.
  ///
  /// - Returns: how many files went.
  @discardableResult
  public func removeStalePartials() throws -> Int {
    try describingFailure(to: "clear \(Self.partialDirectory) under \(root)") {
      let partial = try openDirectory(Self.partialDirectory, in: calls.openRoot(root))
      // A full disk is no reason not to start.
      let now = try? fileSystemTime(in: partial)
      var count = 0
      for name in try calls.list(partial.number) {
        // Another worker sweeping the same directory may be faster.
        try ignoring(ENOENT) {
          let isOwn = name.hasPrefix("\(workerName).")
          guard try isOwn || now.map({ try $0 - modified(name, in: partial) > 3600 }) ?? false else { return }
          try calls.unlink(partial.number, name, 0)
          count += 1
        }
      }
      return count
    }
  }

  /// What the file system takes for the time: its own, as the times of its files are. This machine's clock may be hours
  /// off, and then every file that another worker is just writing would look old.
  func fileSystemTime() throws -> Int {
    try fileSystemTime(in: openDirectory(Self.partialDirectory, in: calls.openRoot(root)))
  }

  private func fileSystemTime(in directory: borrowing FileDescriptor) throws -> Int {
    let name = "\(workerName).clock"
    try ignoring(ENOENT) { try calls.unlink(directory.number, name, 0) }
    let file = FileDescriptor(try calls.open(directory.number, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o640))
    defer { try? calls.unlink(directory.number, name, 0) }
    return try calls.status(file.number).modified
  }

  private func modified(_ name: String, in directory: borrowing FileDescriptor) throws -> Int {
    let file = FileDescriptor(try calls.open(directory.number, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0))
    return try calls.status(file.number).modified
  }

  private func openDirectory(_ name: String, in parent: borrowing FileDescriptor) throws -> FileDescriptor {
    try ignoring(EEXIST) { try calls.makeDirectory(parent.number, name, 0o750) }
    return FileDescriptor(try calls.open(parent.number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0))
  }

  private func writeDurably(
    _ bytes: [UInt8], to name: String, in directory: borrowing FileDescriptor
  ) throws {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
    let file = FileDescriptor(try calls.open(directory.number, name, flags, 0o640))
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = try calls.write(file.number, rest)
      // A device that takes nothing and reports nothing would keep this loop, and the job, for ever.
      guard count > 0 else { throw SystemCallError(call: "write", subject: name, errno: EIO) }
      rest = rest.dropFirst(count)
    }
    try calls.synchronize(file.number)
  }
}

/// Runs `body`, taking one errno for success.
private func ignoring(_ expected: Int32, _ body: () throws -> Void) throws {
  do { try body() } catch let error as SystemCallError where error.errno == expected {}
}
