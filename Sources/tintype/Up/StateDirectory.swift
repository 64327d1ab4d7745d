import Foundation

/// What `tintype up` keeps, and where.
struct StateDirectory {
  let path: String

  var postgres: String { "\(path)/postgres" }
  var pictures: String { "\(path)/pictures" }
  var workerLog: String { "\(path)/worker.log" }
  private var workerPID: String { "\(path)/worker.pid" }

  /// As given, or root's and everyone else's default.
  init(_ given: String?) throws {
    if let path = try Settings.stateDirectory.resolve(given) {
      self.path = URL(filePath: path).standardizedFileURL.path
    } else if getuid() == 0 {
      path = "/var/lib/tintype"
    } else {
      let environment = ProcessInfo.processInfo.environment
      let state = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      path = "\(state ?? NSHomeDirectory() + "/.local/state")/tintype"
    }
  }

  /// Makes the folder, open enough for the server's user to pass through.
  func create() throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    } catch let error as CocoaError {
      throw CommandError(
        .cannotCreate, "--state-dir \(path) cannot be created: \(error.reason).", remedy: "Give another.")
    }
  }

  /// Waits while another `up` or `down` is at work here: two at once would start two workers and remember one.
  func lock() throws -> FolderLock { try FolderLock(path: "\(path)/lock") }

  /// Remembers the worker that was started.
  func record(worker: Int32) throws { try OutputFile.write(Array("\(worker)\n".utf8), to: workerPID) }

  func forgetWorker() { try? FileManager.default.removeItem(atPath: workerPID) }

  /// The worker that was started here, if it still runs. Process ids are used again, so its command line must be ours.
  func runningWorker() -> Int32? {
    guard let text = try? String(contentsOfFile: workerPID, encoding: .utf8),
      let number = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)),
      let command = try? Data(contentsOf: URL(filePath: "/proc/\(number)/cmdline"))
    else { return nil }
    let words = command.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    return words.contains("worker") && words.contains { $0.contains(postgres) } ? number : nil
  }

  /// The last lines of the worker's log.
  func logTail(lines: Int = 10) -> String {
    let text = (try? String(contentsOfFile: workerLog, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").suffix(lines).joined(separator: "\n  ")
  }
}

/// The model that comes with Tintype.
enum DemoModel {
  /// Beside an installed binary in `share`, or in the checkout that it was built in; nil when it was moved away from both.
  static func find() -> String? {
    var folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let installed = folder.deletingLastPathComponent().appending(path: "share/tintype/demo-model/model").path
    if Folder.exists(installed) { return installed }
    while folder.path != "/" {
      let inCheckout = folder.appending(path: "Deploy/demo-model/model").path
      if Folder.exists(inCheckout) { return inCheckout }
      folder.deleteLastPathComponent()
    }
    return nil
  }
}
