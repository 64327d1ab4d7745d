internal import Glibc

/// A path that stays under the directory it starts from: no root, no `..`, no empty or `.` part, no NUL byte.
package struct RelativePath: Sendable, Equatable {
  /// The parts, at least one.
  package let parts: [String]

  /// - Throws: `RelativePath.Invalid`, saying which rule the text breaks.
  package init(_ text: String) throws {
    guard !text.isEmpty else { throw Invalid(reason: "it is empty") }
    guard !text.hasPrefix("/") else { throw Invalid(reason: "it is absolute; give it relative to the root") }
    guard !text.utf8.contains(0) else { throw Invalid(reason: "it contains a NUL byte") }
    guard text.utf8.count <= 4096 else { throw Invalid(reason: "it is longer than 4096 bytes") }
    parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    for part in parts where part.isEmpty || part == "." || part == ".." {
      throw Invalid(reason: "it has the part “\(part)”; only plain names between single slashes are legal")
    }
  }

  /// Why a text is no path under a root.
  package struct Invalid: Error, Equatable {
    package var reason: String
  }
}

extension SystemCalls {
  /// Opens the directory that an operator named. Links are followed here alone: the root is theirs to place.
  package func openRoot(_ path: String) throws -> FileDescriptor {
    FileDescriptor(try open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0))
  }

  /// Opens what `path` names below `root`, one part at a time, following no symbolic link in any of them: a check of
  /// the joined path beforehand could be outrun by whoever swaps a directory for a link in between.
  ///
  /// - Parameter flags: for the last part; the ones before it are opened as directories.
  package func open(_ path: RelativePath, under root: borrowing FileDescriptor, flags: Int32) throws -> FileDescriptor {
    var directory = FileDescriptor(try open(root.number, ".", O_RDONLY | O_DIRECTORY, 0))
    for part in path.parts.dropLast() {
      directory = FileDescriptor(try open(directory.number, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0))
    }
    return FileDescriptor(try open(directory.number, path.parts[path.parts.count - 1], flags | O_NOFOLLOW, 0))
  }

  /// Reads a regular file from below `root`, following no link.
  ///
  /// - Throws: `SystemCallError`, or `UnreadableFile` for devices, pipes, sockets, directories and files over `limit` bytes.
  package func readFile(_ path: RelativePath, under root: borrowing FileDescriptor, limit: Int) throws -> [UInt8] {
    // O_NONBLOCK: opening a FIFO for reading would otherwise wait for a writer that may never come.
    let file = try open(path, under: root, flags: O_RDONLY | O_NONBLOCK)
    let status = try self.status(file.number)
    guard status.isRegularFile else { throw UnreadableFile(reason: "it is not a regular file") }
    guard status.bytes <= limit else {
      throw UnreadableFile(reason: "it has \(status.bytes) bytes; at most \(limit) are accepted")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(status.bytes)
    // The file may grow while it is read, so the limit holds here too.
    while true {
      let chunk = try read(file.number, min(1 << 20, limit + 1 - bytes.count))
      if chunk.isEmpty { return bytes }
      bytes += chunk
      guard bytes.count <= limit else {
        throw UnreadableFile(reason: "it has more than \(limit) bytes, the most that is accepted")
      }
    }
  }
}

/// A file that opens but is not one to read from.
package struct UnreadableFile: Error, Equatable {
  package var reason: String
}
