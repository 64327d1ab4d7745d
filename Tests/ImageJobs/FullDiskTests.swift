import Foundation
import Glibc
import ImageJobs
import Jobs
import Testing

/// A disk of 256 KiB that is really full, beside the injected errors of `ArtifactStoreTests`: what a file system does then is
/// its own business (whether the write fails or the fsync, what is left of the file), and nobody has told it what to expect.
@Suite(.enabled(if: SmallDisk.isPossible, "mounting a tmpfs needs root and CAP_SYS_ADMIN"))
struct FullDiskTests {
  private let disk: SmallDisk
  private let store: ArtifactStore

  init() throws {
    disk = try SmallDisk()
    store = try ArtifactStore(root: disk.path, workerName: "w")
  }

  private let picture = [UInt8](repeating: 7, count: 20_000)

  @Test func aPictureThatDoesNotFitLeavesNothingAndIsWrittenWhenThereIsRoom() throws {
    try disk.fill(leaving: 8_192)
    let before = disk.files
    let error = #expect(throws: JobError.self) { try store.write(picture, job: 7, attempt: 1, index: 0) }
    #expect(error?.code == "out_of_disk" && error?.isPermanent == false)
    #expect(disk.files == before)
    try disk.empty()
    let written = try store.write(picture, job: 7, attempt: 1, index: 0)
    #expect(try Array(Data(contentsOf: URL(filePath: "\(disk.path)/\(written.path)"))) == picture)
  }

  @Test func theProbeSaysSoBeforeAnyJobIsTaken() throws {
    try disk.fill(leaving: 0)
    let error = #expect(throws: JobError.self) { try store.probe() }
    #expect(error?.code == "out_of_disk")
    try disk.empty()
    try store.probe()
  }

  /// What frees the disk must not need room on it.
  @Test func housekeepingWorksOnAFullDisk() async throws {
    for attempt in 1...2 { _ = try store.write(picture, job: 7, attempt: Int64(attempt), index: 0) }
    try disk.fill(leaving: 0)
    let keeper = OutputHousekeeper(of: store)
    #expect(try await keeper.files(in: "0", olderThan: .zero).map(\.attempt) == [1, 2])
    #expect(try await keeper.remove(files: [AttemptFile(job: 7, attempt: 1)]) == 1)
    _ = try store.write([1], job: 7, attempt: 3, index: 0)
  }
}

/// A file system of its own in memory, gone with the value.
private final class SmallDisk: Sendable {
  let path: String
  private let folder: TemporaryFolder

  /// Whether this process may mount, found out by mounting.
  static let isPossible = (try? SmallDisk()) != nil

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path + "/disk"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    guard unsafe mount("tmpfs", path, "tmpfs", 0, "size=256k") == 0 else {
      throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EPERM)
    }
  }

  deinit { _ = unsafe umount2(path, Int32(MNT_DETACH)) }

  var files: [String] {
    (FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []).filter { $0.contains(".") }
      .sorted()
  }

  /// Takes up all room but so many bytes.
  func fill(leaving rest: Int) throws {
    let file = unsafe open(path + "/filler.bin", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(file) }
    let block = [UInt8](repeating: 1, count: 4096)
    while unsafe write(file, block, block.count) > 0 {}
    guard errno == ENOSPC else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    let size = lseek(file, 0, SEEK_CUR)
    guard ftruncate(file, size - rest) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
  }

  func empty() throws { try FileManager.default.removeItem(atPath: path + "/filler.bin") }
}
