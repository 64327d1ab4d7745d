internal import Glibc

/// The file-system calls that this module makes, as values: a test replaces one to see what a full or failing disk
/// does, which no real disk does on demand. Each throws `SystemCallError` where the C function returns −1.
package struct SystemCalls: Sendable {
  /// `openat`: directory, name, flags, mode → descriptor.
  package var open: @Sendable (Int32, String, Int32, UInt32) throws -> Int32
  /// `mkdirat`.
  package var makeDirectory: @Sendable (Int32, String, UInt32) throws -> Void
  /// `write`: may write fewer bytes than asked.
  package var write: @Sendable (Int32, ArraySlice<UInt8>) throws -> Int
  /// `read`: at most so many bytes; empty at the end of the file.
  package var read: @Sendable (Int32, Int) throws -> [UInt8]
  package var synchronize: @Sendable (Int32) throws -> Void
  /// `renameat`: from directory and name, to directory and name.
  package var rename: @Sendable (Int32, String, Int32, String) throws -> Void
  /// `unlinkat`: directory, name, flags.
  package var unlink: @Sendable (Int32, String, Int32) throws -> Void
  /// `fstat`.
  package var status: @Sendable (Int32) throws -> FileStatus
  /// The names in an open directory, but `.` and `..`.
  package var list: @Sendable (Int32) throws -> [String]

  /// What `fstat` tells, as far as it matters here.
  package struct FileStatus: Sendable {
    package var isRegularFile: Bool
    package var bytes: Int
    /// When it was last written to, in seconds since 1970 by the file system's clock, which on a network disk is another
    /// machine's.
    package var modified: Int
  }
}

/// A system call that failed: its name, what it was about, and `errno`.
package struct SystemCallError: Error, Equatable, CustomStringConvertible {
  package var call: String
  package var subject: String
  package var errno: Int32

  package init(call: String, subject: String, errno: Int32) {
    self.call = call
    self.subject = subject
    self.errno = errno
  }

  package var description: String { "\(call) \(subject): \(reason)" }

  /// The C library's words for `errno`.
  package var reason: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe strerror_r(errno, &buffer, buffer.count) == 0 else { return "errno \(errno)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

extension SystemCalls {
  /// The kernel.
  package static var kernel: SystemCalls {
    SystemCalls(
      open: { directory, name, flags, mode in
        try check("open", name) { unsafe openat(directory, name, flags | O_CLOEXEC, mode) }
      },
      makeDirectory: { directory, name, mode in
        _ = try check("mkdir", name) { unsafe mkdirat(directory, name, mode) }
      },
      write: { file, bytes in
        try unsafe bytes.withUnsafeBytes { buffer in
          try check("write", "descriptor \(file)") { unsafe Glibc.write(file, buffer.baseAddress, buffer.count) }
        }
      },
      read: { file, limit in
        try unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
          count = try check("read", "descriptor \(file)") { unsafe Glibc.read(file, buffer.baseAddress, limit) }
        }
      },
      synchronize: { file in _ = try check("fsync", "descriptor \(file)") { fsync(file) } },
      rename: { from, name, to, newName in
        _ = try check("rename", newName) { unsafe renameat(from, name, to, newName) }
      },
      unlink: { directory, name, flags in _ = try check("unlink", name) { unsafe unlinkat(directory, name, flags) } },
      status: { file in
        var status = stat()
        _ = try check("fstat", "descriptor \(file)") { unsafe fstat(file, &status) }
        return FileStatus(
          isRegularFile: status.st_mode & S_IFMT == S_IFREG, bytes: Int(status.st_size),
          modified: status.st_mtim.tv_sec)
      },
      list: { directory in try names(in: directory) })
  }

  /// Repeats a call that a signal interrupted; throws when it fails.
  private static func check<Result: SignedInteger>(
    _ call: String, _ subject: String, _ body: () -> Result
  ) throws -> Result {
    while true {
      let result = body()
      if result >= 0 { return result }
      guard errno == EINTR else { throw SystemCallError(call: call, subject: subject, errno: errno) }
    }
  }

  private static func names(in directory: Int32) throws -> [String] {
    // fdopendir takes its descriptor over, so it gets one of its own.
    let copy = try check("open", "directory") { unsafe openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let stream = unsafe fdopendir(copy) else {
      let failure = SystemCallError(call: "opendir", subject: "descriptor \(directory)", errno: errno)
      close(copy)
      throw failure
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}

/// An open file or directory; closed when it goes.
package struct FileDescriptor: ~Copyable {
  package let number: Int32

  package init(_ number: Int32) { self.number = number }

  deinit { close(number) }
}
