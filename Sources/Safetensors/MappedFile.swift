internal import Dispatch
internal import Glibc

/// A whole file in memory, read-only, without being read: its pages come from the system's page cache on first touch
/// and are one copy for every process that maps the file.
///
/// The size is taken when the file is opened. Should somebody shorten the file afterwards, touching the lost pages
/// kills the process with SIGBUS, and no check here can prevent it. Replace model files by renaming a new one over
/// the old, never by writing into them: the mapping then keeps the old file alive.
///
/// Unchecked: the bytes are only read, and unmapped when the last reference goes.
@safe final class MappedFile: @unchecked Sendable {
  private let bytes: UnsafeRawBufferPointer

  /// Maps the open file.
  init(_ file: borrowing OpenFile) throws(SafetensorsError) {
    // Shared or private is the same for pages that are never written; shared also forbids a private copy.
    let address = unsafe mmap(nil, file.byteCount, PROT_READ, MAP_SHARED, file.descriptor, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      throw SafetensorsError(.inputOutput, path: file.path, "cannot be mapped: \(systemError())")
    }
    unsafe bytes = UnsafeRawBufferPointer(start: address, count: file.byteCount)
  }

  deinit {
    unsafe munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  /// The bytes of `range`; valid as long as this object.
  func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
  }

  /// Reads ahead in the order in which it was asked, for all files of the process.
  private static let readahead = DispatchQueue(label: "tintype.readahead", qos: .utility)
  /// So that a file that is let go is read no further.
  private static let readaheadPiece = 32 << 20

  /// Has `range` read and its pages mapped ahead of use, in the background: whoever loads a model goes on at once, and
  /// the first layers compute while the last ones are read. A hint: its failure changes nothing.
  func prefetch(_ range: Range<Int>) {
    let page = sysconf(Int32(_SC_PAGESIZE))
    for start in stride(from: range.lowerBound / page * page, to: range.upperBound, by: Self.readaheadPiece) {
      let piece = start..<min(start + Self.readaheadPiece, range.upperBound)
      Self.readahead.async { [weak self] in self?.populate(piece) }
    }
  }

  /// `MADV_POPULATE_READ`, Linux 5.14: reads the pages and maps them, which page by page would cost a fault for every 64 KB.
  private static let populateRead: Int32 = 22

  private func populate(_ range: Range<Int>) {
    if !advise(range, Self.populateRead) { advise(range, MADV_WILLNEED) }
  }

  /// Takes the pages of `range` out of this process. They stay in the system's cache while it has room, so touching one again
  /// costs a fault and nothing else.
  func release(_ range: Range<Int>) {
    let page = sysconf(Int32(_SC_PAGESIZE))
    advise(range.lowerBound / page * page..<range.upperBound, MADV_DONTNEED)
  }

  /// Runs `body`, during which the system reads no more than is touched instead of guessing what comes next.
  func withScatteredAccess<R>(_ body: () -> R) -> R {
    unsafe advise(0..<bytes.count, MADV_RANDOM)
    defer { unsafe advise(0..<bytes.count, MADV_NORMAL) }
    return body()
  }

  @discardableResult
  private func advise(_ range: Range<Int>, _ advice: Int32) -> Bool {
    let part = unsafe slice(range)
    return unsafe madvise(UnsafeMutableRawPointer(mutating: part.baseAddress), part.count, advice) == 0
  }
}

/// A regular file, open for reading; closed at the end of its scope.
struct OpenFile: ~Copyable {
  let path: String
  let descriptor: Int32
  /// Its size when it was opened.
  let byteCount: Int
  /// When its contents last changed, in nanoseconds since 1970.
  let changeTime: Int

  init(path: String) throws(SafetensorsError) {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw SafetensorsError(.inputOutput, path: path, "cannot be opened: \(systemError())")
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      let reason = systemError()
      close(descriptor)
      throw SafetensorsError(.inputOutput, path: path, "cannot be examined: \(reason)")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw SafetensorsError(.inputOutput, path: path, "is not a regular file")
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
    changeTime = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
  }

  deinit { close(descriptor) }

  /// Copies `count` bytes from `offset`. Fewer are there only if the file shrank meanwhile: that is an error.
  func read(_ count: Int, at offset: Int) throws(SafetensorsError) -> [UInt8] {
    var failure: SafetensorsError?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      while initialized < count {
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[initialized...])
        let got = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + initialized))
        if got < 0, errno == EINTR { continue }
        guard got > 0 else {
          failure = SafetensorsError(
            got < 0 ? .inputOutput : .truncated, path: path,
            got < 0 ? "cannot be read: \(systemError())" : "became shorter while it was read")
          return
        }
        initialized += got
      }
    }
    if let failure { throw failure }
    return bytes
  }
}

/// The reason of the last failed call.
func systemError() -> String {
  unsafe String(cString: strerror(errno))
}
