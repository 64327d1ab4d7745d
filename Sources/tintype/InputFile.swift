import Foundation

/// Files that a command line names for reading.
enum InputFile {
  /// The whole file.
  ///
  /// - Parameter option: the flag that named it, for the error.
  static func read(_ path: String, option: String) throws -> [UInt8] {
    do {
      return [UInt8](try Data(contentsOf: URL(filePath: path)))
    } catch let error as CocoaError {
      let status: ExitStatus =
        switch error.code {
        case .fileReadNoSuchFile, .fileNoSuchFile: .notFound
        case .fileReadNoPermission: .noPermission
        default: .inputOutput
        }
      throw CommandError(status, "--\(option) \(path) cannot be read: \(error.reason).")
    }
  }
}

extension CocoaError {
  /// What the system said, without the path and the framework's wrapping.
  var reason: String {
    if let posix = underlying as? POSIXError { return unsafe String(cString: strerror(posix.code.rawValue)) }
    return localizedDescription
  }
}
