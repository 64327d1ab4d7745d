import Foundation
import ImageJobs

/// Whether pictures can be written, and read where they are to be.
struct FolderChecks {
  let output: String?
  let input: String?

  func findings() -> [DoctorFinding] { [outputFinding(), inputFinding()] }

  private func outputFinding() -> DoctorFinding {
    guard let output else {
      return .skipped("output", "no folder given", remedy: "Give --output DIR, or set \(Settings.output.environment).")
    }
    guard Folder.exists(output) else {
      return .failure("output", "no such folder: \(output)", remedy: "Create it with `mkdir -p`.", .cannotCreate)
    }
    do {
      // A file as a worker writes it, and away again.
      let store = try ArtifactStore(root: output, workerName: "doctor.\(ProcessInfo.processInfo.processIdentifier)")
      try store.probe()
    } catch {
      return .failure("output", error)
    }
    let free = try? URL(filePath: output).resourceValues(forKeys: [.volumeAvailableCapacityKey])
      .volumeAvailableCapacity
    return .ok("output", "\(output) can be written\(free.map { ", \(MemoryLimit.gigabytes($0)) free" } ?? "")")
  }

  private func inputFinding() -> DoctorFinding {
    guard let input else {
      return .skipped(
        "input", "no folder given; jobs that name an initial picture by its path fail",
        remedy: "Give --input DIR, or set \(Settings.input.environment).")
    }
    guard Folder.exists(input) else {
      return .failure("input", "no such folder: \(input)", remedy: "Create it, or leave --input out.", .notFound)
    }
    guard unsafe access(input, R_OK | X_OK) == 0 else {
      return .failure(
        "input", "\(input) may not be read by this user", remedy: "Give the user read rights.", .noPermission)
    }
    return .ok("input", "\(input) can be read")
  }
}
