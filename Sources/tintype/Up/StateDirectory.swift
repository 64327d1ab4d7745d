import Foundation

/// What `tintype up` keeps, and where.
struct StateDirectory {
  let path: String

  var postgres: String { "\(path)/postgres" }
  var pictures: String { "\(path)/pictures" }
  var readinessSocket: String { "\(path)/ready.sock" }

  /// What `tintype up` starts beside PostgreSQL.
  enum Program: String {
    case worker, dashboard
  }

  /// What a program writes, from start to start.
  func log(of program: Program) -> String { "\(path)/\(program.rawValue).log" }

  private func processFile(_ program: Program) -> String { "\(path)/\(program.rawValue).pid" }

  /// Where the page is, with its key: for the owner alone.
  var pageAddress: String { "\(path)/dashboard.url" }

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

  /// Remembers a program that was started, or that this process is.
  func record(_ identifier: Int32, as program: Program) throws {
    guard let process = RunningProcess(identifier: identifier) else { return }
    try OutputFile.write(Array("\(process.description)\n".utf8), to: processFile(program))
  }

  func forget(_ program: Program) { try? FileManager.default.removeItem(atPath: processFile(program)) }

  /// The program that was started here, in a process of its own or, for a worker, by `up --foreground`, if it still runs.
  func running(_ program: Program) -> Int32? {
    (try? String(contentsOfFile: processFile(program), encoding: .utf8)).flatMap { RunningProcess($0) }?.identifier
  }

  /// Bytes of a program's log now.
  func logSize(of program: Program) -> UInt64 {
    let attributes = try? FileManager.default.attributesOfItem(atPath: log(of: program))
    return (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
  }

  /// The last lines that a program wrote since its log had that many bytes.
  func logTail(of program: Program, since start: UInt64, lines: Int = 10) -> String {
    guard let file = FileHandle(forReadingAtPath: log(of: program)), (try? file.seek(toOffset: start)) != nil,
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
