import Foundation

/// Files that a command writes: complete and durable under their name, or not there at all.
enum OutputFile {
  /// Refuses a path whose folder is missing or closed, before the work whose result would go there.
  static func checkFolder(of path: String, option: String) throws {
    if Folder.exists(path) {
      throw CommandError(.cannotCreate, "--\(option) \(path) is a folder.", remedy: "Give the name of a file in it.")
    }
    let folder = URL(filePath: path).deletingLastPathComponent().path
    guard Folder.exists(folder) else {
      throw CommandError(
        .cannotCreate, "--\(option) \(path): there is no folder \(folder).", remedy: "Create it with `mkdir -p`.")
    }
    guard unsafe access(folder, W_OK | X_OK) == 0 else {
      throw CommandError(.cannotCreate, "--\(option) \(path): \(folder) may not be written by this user.")
    }
  }

  /// Writes beside the target, flushes, then renames over it.
  static func write(_ bytes: [UInt8], to path: String) throws {
    let temporary = "\(path).partial-\(ProcessInfo.processInfo.processIdentifier)"
    do {
      let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw failure(path, .cannotCreate) }
      let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      do {
        try handle.write(contentsOf: Data(bytes))
        try handle.synchronize()
        try handle.close()
      } catch {
        throw failure(path, .inputOutput)
      }
      guard unsafe rename(temporary, path) == 0 else { throw failure(path, .cannotCreate) }
    } catch {
      unsafe unlink(temporary)
      throw error
    }
  }

  private static func failure(_ path: String, _ status: ExitStatus) -> CommandError {
    CommandError(status, "\(path) cannot be written: \(unsafe String(cString: strerror(errno))).")
  }
}

/// Folders.
enum Folder {
  /// True for a folder, or a link to one.
  static func exists(_ path: String) -> Bool {
    let real = URL(filePath: path).resolvingSymlinksInPath().path
    let type = try? FileManager.default.attributesOfItem(atPath: real)[.type] as? FileAttributeType
    return type == .typeDirectory
  }
}
