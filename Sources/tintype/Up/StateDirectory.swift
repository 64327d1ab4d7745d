import Foundation

/// What `tintype up` keeps, and where.
struct StateDirectory {
  let path: String

  var postgres: String { "\(path)/postgres" }
  var pictures: String { "\(path)/pictures" }
  var workerLog: String { "\(path)/worker.log" }
  var readinessSocket: String { "\(path)/ready.sock" }
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

  /// Remembers the worker that was started, or that this process is.
  func record(worker: Int32) throws {
    guard let process = RunningProcess(identifier: worker) else { return }
    try OutputFile.write(Array("\(process.description)\n".utf8), to: workerPID)
  }

  func forgetWorker() { try? FileManager.default.removeItem(atPath: workerPID) }

  /// The worker that was started here, in a process of its own or by `up --foreground`, if it still runs.
  func runningWorker() -> Int32? {
    (try? String(contentsOfFile: workerPID, encoding: .utf8)).flatMap { RunningProcess($0) }?.identifier
  }

  /// Bytes of the worker's log, which goes on from start to start.
  var logSize: UInt64 {
    let attributes = try? FileManager.default.attributesOfItem(atPath: workerLog)
    return (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
  }

  /// The last lines that a worker wrote since its log had that many bytes.
  func logTail(since start: UInt64, lines: Int = 10) -> String {
    guard let file = FileHandle(forReadingAtPath: workerLog), (try? file.seek(toOffset: start)) != nil,
      let text = try? file.readToEnd()
    else { return "" }
    return String(decoding: text, as: UTF8.self).split(separator: "\n").suffix(lines).joined(separator: "\n  ")
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
