import Foundation

/// Files that a command writes: complete and durable under their name, or not there at all.
enum OutputFile {
  /// Refuses a path whose folder is missing or closed, before the work whose result would go there.
  static func checkFolder(of path: String, option: String) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw CommandError(.cannotCreate, "--\(option) \(path) is a folder.", remedy: "Give the name of a file in it.")
    }
    let folder = URL(filePath: path).deletingLastPathComponent().path
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw CommandError(
        .cannotCreate, "--\(option) \(path): there is no folder \(folder).", remedy: "Create it with `mkdir -p`.")
    }
    guard access(folder, W_OK | X_OK) == 0 else {
      throw CommandError(.cannotCreate, "--\(option) \(path): \(folder) may not be written by this user.")
    }
  }

  /// Writes beside the target, flushes, then renames over it.
  static func write(_ bytes: [UInt8], to path: String) throws {
    let temporary = "\(path).partial-\(ProcessInfo.processInfo.processIdentifier)"
    do {
      let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw failure(path, .cannotCreate) }
      let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      do {
        try handle.write(contentsOf: Data(bytes))
        try handle.synchronize()
        try handle.close()
      } catch {
        throw failure(path, .inputOutput)
      }
      guard rename(temporary, path) == 0 else { throw failure(path, .cannotCreate) }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  private static func failure(_ path: String, _ status: ExitStatus) -> CommandError {
    CommandError(status, "\(path) cannot be written: \(unsafe String(cString: strerror(errno))).")
  }
}
