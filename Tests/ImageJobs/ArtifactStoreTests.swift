import Foundation
import Glibc
import ImageJobs
import Jobs
import Synchronization
import Testing

@Suite struct ArtifactStoreTests {
  private let folder: TemporaryFolder
  private let picture = (0..<10_000).map { UInt8(truncatingIfNeeded: $0) }

  init() throws { folder = try TemporaryFolder() }

  private func store(_ name: String = "w1", calls: SystemCalls = .kernel) throws -> ArtifactStore {
    try ArtifactStore(root: folder.path, workerName: name, calls: calls)
  }

  @Test func writesWhereTheRowSaysAndNothingElse() throws {
    let written = try store().write(picture, job: 12_345, attempt: 678, index: 2)
    #expect(written.path == "12/12345/678-2.png")
    #expect(written.path == ArtifactStore.path(job: 12_345, attempt: 678, index: 2))
    #expect(written.sha256 == SHA256.hash(picture))
    #expect(folder.files == ["12/12345/678-2.png"])
    #expect(try folder.bytes(written.path) == picture)
  }

  @Test func theFileIsNotForStrangers() throws {
    let path = folder.path + "/" + (try store().write(picture, job: 1, attempt: 2, index: 0).path)
    var status = stat()
    unsafe #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o137 == 0)
  }

  @Test func everythingIsSynchronisedBeforeAndAfterTheRename() throws {
    let events = Mutex<[String]>([])
    var calls = SystemCalls.kernel
    calls.synchronize = { file in
      let target = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(file)")
      events.withLock { $0.append("fsync \(target)") }
      try SystemCalls.kernel.synchronize(file)
    }
    calls.rename = { from, name, to, newName in
      events.withLock { $0.append("rename \(newName)") }
      try SystemCalls.kernel.rename(from, name, to, newName)
    }
    _ = try store(calls: calls).write(picture, job: 5000, attempt: 2, index: 0)
    let root = try URL(filePath: folder.path).resourceValues(forKeys: [.canonicalPathKey]).canonicalPath ?? folder.path
    #expect(
      events.withLock { $0 } == [
        "fsync \(root)/.partial/w1.2-0", "rename 2-0.png", "fsync \(root)/5/5000", "fsync \(root)/5", "fsync \(root)",
      ])
  }

  @Test func shortWritesAreContinued() throws {
    var calls = SystemCalls.kernel
    calls.write = { file, bytes in try SystemCalls.kernel.write(file, bytes.prefix(7)) }
    let written = try store(calls: calls).write(picture, job: 1, attempt: 2, index: 0)
    #expect(try folder.bytes(written.path) == picture)
  }

  /// What can fail, how, and the code it must have.
  static let faults: [(call: String, errno: Int32, code: String)] = [
    ("write", ENOSPC, "out_of_disk"), ("write", EDQUOT, "out_of_disk"), ("write", EIO, "output_io_error"),
    ("fsync file", EIO, "output_io_error"), ("fsync file", ENOSPC, "out_of_disk"),
    ("rename", EROFS, "output_read_only"),
    ("fsync directory", EIO, "output_io_error"), ("open", EROFS, "output_read_only"), ("open", EACCES, "output_denied"),
    ("open", EMFILE, "out_of_descriptors"), ("mkdir", ENOSPC, "out_of_disk"), ("write nothing", 0, "output_io_error"),
  ]

  @Test(arguments: faults) func aFaultLeavesNothingAndSaysWhatToDo(fault: (call: String, errno: Int32, code: String))
    throws
  {
    _ = try store()
    let failure = SystemCallError(call: fault.call, subject: "x", errno: fault.errno)
    var calls = SystemCalls.kernel
    switch fault.call {
    case "write":
      // Half of it fits.
      let written = Mutex(0)
      calls.write = { file, bytes in
        guard written.withLock({ $0 }) == 0 else { throw failure }
        let count = try SystemCalls.kernel.write(file, bytes.prefix(5000))
        written.withLock { $0 += count }
        return count
      }
    case "write nothing": calls.write = { _, _ in 0 }
    case "fsync file": calls.synchronize = { _ in throw failure }
    case "fsync directory":
      calls.synchronize = { file in
        if try !SystemCalls.kernel.status(file).isRegularFile { throw failure }
      }
    case "rename": calls.rename = { _, _, _, _ in throw failure }
    case "open":
      calls.open = { directory, name, flags, mode in
        if flags & O_CREAT != 0 { throw failure }
        return try SystemCalls.kernel.open(directory, name, flags, mode)
      }
    default:
      calls.makeDirectory = { directory, name, mode in
        if name == "1" { throw failure }
        try SystemCalls.kernel.makeDirectory(directory, name, mode)
      }
    }
    let faulty = try store(calls: calls)
    let error = #expect(throws: JobError.self) { try faulty.write(picture, job: 1, attempt: 2, index: 0) }
    #expect(error?.code == fault.code)
    #expect(error?.isPermanent == false)
    #expect(error?.message.contains(folder.path) == true)
    #expect(folder.files == [])
    // The fault over, the same attempt writes as if nothing had been.
    #expect(try folder.bytes(store().write(picture, job: 1, attempt: 2, index: 0).path) == picture)
  }

  @Test(arguments: ["0", "0/7", ".partial"]) func aLinkIsNotFollowedOut(of place: String) throws {
    let elsewhere = try TemporaryFolder()
    let store = try store()
    try? FileManager.default.removeItem(atPath: folder.path + "/.partial")
    if place == "0/7" {
      try FileManager.default.createDirectory(atPath: folder.path + "/0", withIntermediateDirectories: true)
    }
    try folder.link(place, to: elsewhere.path)
    let error = #expect(throws: JobError.self) { try store.write(picture, job: 7, attempt: 2, index: 0) }
    #expect(error?.code == "output_unsafe")
    #expect(elsewhere.files == [])
  }

  @Test func removesItsFilesAndBearsThatTheyAreGone() throws {
    let store = try store()
    let first = try store.write(picture, job: 1, attempt: 2, index: 0)
    let other = try store.write(picture, job: 1, attempt: 3, index: 0)
    try store.remove(paths: ["0/1/2-9.png", first.path, "77/1/1-0.png"])
    #expect(folder.files == [other.path])
  }

  @Test(arguments: ["../secret", "/etc/passwd", "0/../../secret", ""]) func removesNothingOutside(path: String) throws {
    let error = #expect(throws: JobError.self) { try store().remove(paths: [path]) }
    #expect(error?.code == "artifact_path")
  }

  @Test func sweepsItsOwnLeftoversAndOldOnesOfOthers() throws {
    _ = try store()
    try folder.write(".partial/w1.10-0", [1])
    try folder.write(".partial/w10.11-0", [1])
    let old = try folder.write(".partial/w2.12-0", [1])
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -7200)], ofItemAtPath: old)
    #expect(try store().removeStalePartials() == 2)
    #expect(folder.files == [".partial/w10.11-0"])
  }

  @Test func aWrongClockSweepsNothingThatIsBeingWritten() throws {
    var calls = SystemCalls.kernel
    // To a machine whose clock is a day ahead of the file server's, every file looks a day old.
    calls.status = { file in
      var status = try SystemCalls.kernel.status(file)
      status.modified -= 86_400
      return status
    }
    _ = try store()
    try folder.write(".partial/w2.12-0", [1])
    #expect(try store(calls: calls).removeStalePartials() == 0)
    #expect(folder.files == [".partial/w2.12-0"])
  }

  @Test func aFullDiskDoesNotKeepItFromSweepingItsOwn() throws {
    var calls = SystemCalls.kernel
    calls.open = { directory, name, flags, mode in
      guard flags & O_CREAT == 0 else { throw SystemCallError(call: "open", subject: name, errno: ENOSPC) }
      return try SystemCalls.kernel.open(directory, name, flags, mode)
    }
    _ = try store()
    try folder.write(".partial/w1.10-0", [1])
    #expect(try store(calls: calls).removeStalePartials() == 1)
  }

  @Test func aMissingRootIsMadeAndADeepOneIsNot() throws {
    _ = try ArtifactStore(root: folder.path + "/new", workerName: "w")
    let error = #expect(throws: JobError.self) { try ArtifactStore(root: folder.path + "/a/b", workerName: "w") }
    #expect(error?.code == "output_missing")
  }

  @Test func namesWithSlashesStayInTheirDirectory() throws {
    let store = try store("../../evil")
    _ = try store.write(picture, job: 1, attempt: 2, index: 0)
    #expect(folder.files == ["0/1/2-0.png"])
  }
}
