import Foundation
import ImageJobs
import Jobs
import Testing

@Suite struct OutputHousekeeperTests {
  private let folder: TemporaryFolder
  private let store: ArtifactStore
  private let keeper: OutputHousekeeper

  init() throws {
    folder = try TemporaryFolder()
    store = try ArtifactStore(root: folder.path, workerName: "w")
    keeper = OutputHousekeeper(of: store)
  }

  @discardableResult
  private func write(job: Int64, attempt: Int64, index: Int = 0) throws -> String {
    try store.write([1, 2, 3], job: job, attempt: attempt, index: index).path
  }

  @Test func everyWorkerKnowsTheFolderByTheSameName() async throws {
    let first = try #require(try await keeper.identity(installation: "a"))
    let other = OutputHousekeeper(of: try ArtifactStore(root: folder.path, workerName: "v"))
    #expect(try await other.identity(installation: "a") == first)
    // Files of one database mean nothing to another.
    #expect(try await other.identity(installation: "b") == nil)
  }

  @Test func aJobsFilesGoAndItsFolderWithThem() async throws {
    for index in 0..<2 { try write(job: 7, attempt: 1, index: index) }
    let other = try write(job: 8, attempt: 2)
    for _ in 0..<2 { try await keeper.remove(jobs: [7, 999_999]) }
    #expect(folder.files == [other])
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/0/7"))
  }

  @Test func onlyTheAttemptsThatAreNamed() async throws {
    try write(job: 7, attempt: 1)
    let kept = try write(job: 7, attempt: 11)
    #expect(try await keeper.remove(files: [AttemptFile(job: 7, attempt: 1)]) == 1)
    #expect(folder.files == [kept])
  }

  /// What somebody else has put there is not Tintype's to judge.
  @Test func otherPeoplesFilesAreNeverTouched() async throws {
    try write(job: 7, attempt: 1)
    let strange = ["0/7/notes.txt", "0/7/1-0.png.bak", "0/7/01-0.png", "0/7/1-00.png", "0/7/1.png", "0/7/1--1.png"]
    for path in strange {
      #expect(FileManager.default.createFile(atPath: "\(folder.path)/\(path)", contents: Data([1])))
    }
    #expect(try await keeper.files(in: "0", olderThan: .zero) == [AttemptFile(job: 7, attempt: 1)])
    try await keeper.remove(jobs: [7])
    #expect(folder.files.sorted() == strange.sorted())
  }

  @Test func linksAreNotFollowed() async throws {
    try write(job: 7, attempt: 1)
    let secret = folder.path + "/secret"
    try FileManager.default.createDirectory(atPath: secret, withIntermediateDirectories: false)
    #expect(FileManager.default.createFile(atPath: "\(secret)/5-0.png", contents: Data([1])))
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/0/9", withDestinationPath: secret)
    #expect(try await keeper.files(in: "0", olderThan: .zero) == [AttemptFile(job: 7, attempt: 1)])
    await #expect(throws: JobError.self) { try await keeper.remove(jobs: [9]) }
    #expect(FileManager.default.fileExists(atPath: "\(secret)/5-0.png"))
  }

  @Test func theFolderIsSearchedInPartsAndYoungFilesAreLeftOut() async throws {
    try write(job: 7, attempt: 1)
    try write(job: 12_345, attempt: 2)
    #expect(try await keeper.parts().sorted() == ["0", "12"])
    #expect(try await keeper.files(in: "12", olderThan: .zero) == [AttemptFile(job: 12_345, attempt: 2)])
    #expect(try await keeper.files(in: "12", olderThan: .seconds(3600)) == [])
  }

  /// On a network disk files have another machine's times.
  @Test(arguments: [-86_400, 86_400]) func aFilesAgeIsJudgedByTheClockThatDatedIt(offBy seconds: Int) async throws {
    var calls = SystemCalls.kernel
    calls.status = { file in
      var status = try SystemCalls.kernel.status(file)
      status.modified += seconds
      return status
    }
    let keeper = OutputHousekeeper(of: try ArtifactStore(root: folder.path, workerName: "v", calls: calls))
    try write(job: 7, attempt: 1)
    #expect(try await keeper.files(in: "0", olderThan: .seconds(3600)) == [])
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -7200)], ofItemAtPath: folder.path + "/0/7/1-0.png")
    #expect(try await keeper.files(in: "0", olderThan: .seconds(3600)) == [AttemptFile(job: 7, attempt: 1)])
  }

  @Test func aMarkerThatSomebodyLeftHalfWrittenIsMadeAnewAfterAWhile() async throws {
    let marker = folder.path + "/.tintype"
    #expect(FileManager.default.createFile(atPath: marker, contents: Data()))
    await #expect(throws: JobError.self) { try await keeper.identity(installation: "a") }
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -120)], ofItemAtPath: marker)
    #expect(try await keeper.identity(installation: "a") != nil)
  }
}
