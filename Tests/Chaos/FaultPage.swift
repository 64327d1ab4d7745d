import Foundation
import Glibc
import TestSupport

/// The page that the fault-injecting layer of one process, or of the database server, reads; see
/// `Tests/Faults/include/faults.h` for the fields.
@safe final class FaultPage: @unchecked Sendable {
  /// By offset in `struct fault_page`.
  enum Field: Int, CaseIterable {
    case write = 0, fsync = 4, rename = 8, create = 12, unlink = 16, shortWrite = 20, oneIn = 24, injected = 28,
      raiseSignal = 32, raiseAt = 36
  }
  private static let clockOffset = 40
  private static let slept = 48
  private static let size = 56

  let path: String
  private let memory: UnsafeMutableRawPointer

  init(in folder: TemporaryFolder, name: String) throws {
    path = folder.path(name)
    let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    // The server runs as another user, whatever the umask.
    guard file >= 0, fchmod(file, 0o666) == 0, ftruncate(file, Self.size) == 0,
      let mapped = unsafe mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), unsafe mapped != MAP_FAILED
    else { throw Complaint("no page for faults at \(path): errno \(errno)") }
    close(file)
    unsafe memory = mapped
  }

  deinit { unsafe munmap(memory, Self.size) }

  subscript(_ field: Field) -> Int32 {
    get { unsafe memory.load(fromByteOffset: field.rawValue, as: Int32.self) }
    set { unsafe memory.storeBytes(of: newValue, toByteOffset: field.rawValue, as: Int32.self) }
  }

  /// How far the time of day is off.
  func setClock(offBy seconds: Double) {
    unsafe memory.storeBytes(of: Int64(seconds * 1e9), toByteOffset: Self.clockOffset, as: Int64.self)
  }

  /// How long the machine has slept: the clock that goes on meanwhile is ahead of the one that stops.
  func setSlept(_ seconds: Double) {
    unsafe memory.storeBytes(of: Int64(seconds * 1e9), toByteOffset: Self.slept, as: Int64.self)
  }

  /// Has the process send itself a signal at the point.
  func arm(_ signal: Int32, at point: FaultPoint) {
    self[.raiseSignal] = signal
    self[.raiseAt] = point.rawValue
  }

  /// True when the point was not reached: it is not waited for any longer.
  func disarm() -> Bool {
    defer { self[.raiseAt] = 0 }
    return self[.raiseAt] != 0
  }

  func begin(_ fault: Fault.FileFault, oneIn: Int32) {
    self[.oneIn] = oneIn
    switch fault {
    case .diskFull: self[.write] = ENOSPC
    case .quota: self[.write] = EDQUOT
    case .readOnly: for field in [Field.create, .rename, .unlink] { self[field] = EROFS }
    case .fsync: self[.fsync] = EIO
    case .rename: self[.rename] = EIO
    case .unlink: self[.unlink] = EIO
    case .shortWrites: self[.shortWrite] = 100
    }
  }

  func endFileFaults() {
    for field in [Field.write, .fsync, .rename, .create, .unlink, .shortWrite, .oneIn] { self[field] = 0 }
  }
}

/// The library that is loaded into a process to make its calls fail.
enum FaultLibrary {
  /// A copy where the database's user can read it, too.
  static func install(in folder: TemporaryFolder) throws -> String {
    let built = URL(filePath: Tool.path).deletingLastPathComponent().appending(path: "libtintype-faults.so")
    guard FileManager.default.fileExists(atPath: built.path) else {
      throw Complaint("\(built.path) is missing: `swift build --build-tests` makes it")
    }
    let copy = folder.path("faults.so")
    try FileManager.default.copyItem(atPath: built.path, toPath: copy)
    guard unsafe chmod(copy, 0o755) == 0 else { throw Complaint("chmod \(copy): errno \(errno)") }
    return copy
  }
}

/// The run cannot go on.
struct Complaint: Error, CustomStringConvertible {
  let description: String
  init(_ text: String) { description = text }
}
