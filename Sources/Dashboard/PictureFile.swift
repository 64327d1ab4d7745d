internal import Glibc

/// A picture below the output folder.
enum PictureFile {
  /// Its bytes; nil when there is none, or when the path leads out of the folder.
  ///
  /// - Parameters:
  ///   - path: `images.path`: from the database, which is no reason to trust it with the file system.
  ///   - root: the output folder.
  static func read(_ path: String, below root: String) -> [UInt8]? {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !parts.isEmpty, path.hasSuffix(".png"), !path.utf8.contains(0),
      parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
    else { return nil }
    var folder = unsafe open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    // One part after the other, no link followed.
    for part in parts.dropLast() where folder >= 0 {
      let next = unsafe openat(folder, String(part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      close(folder)
      folder = next
    }
    guard folder >= 0 else { return nil }
    defer { close(folder) }
    let file = unsafe openat(folder, String(parts[parts.count - 1]), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    // A picture of the largest size that a job may have is 48 MiB raw.
    guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, (1...(1 << 26)).contains(status.st_size)
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var count = 0
    while count < bytes.count {
      let got = unsafe bytes[count...].withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
      if got <= 0 { return nil }
      count += got
    }
    return bytes
  }
}
