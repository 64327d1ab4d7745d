#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// What this process holds of the machine's memory, and how much of it there is.
public enum ProcessMemory {
  /// Most bytes that were ever resident, mapped files included; nil where the system does not say.
  public static var peakResident: Int? { statusBytes("VmHWM:") }

  /// Bytes resident now, mapped files included.
  public static var resident: Int? { statusBytes("VmRSS:") }

  /// The most that this process may ever hold: the machine's memory, or what a control group leaves of it.
  public static var limit: Int? {
    let machine = field("MemTotal:", of: SystemFile.contents("/proc/meminfo") ?? "")
    return [machine, groupLimit(groups: SystemFile.contents("/proc/self/cgroup") ?? "", SystemFile.contents)]
      .compactMap(\.self).min()
  }

  /// What could be had now without swapping: free memory and the page cache, as the kernel estimates it.
  public static var available: Int? {
    field("MemAvailable:", of: SystemFile.contents("/proc/meminfo") ?? "")
  }

  /// The smallest `memory.max` of the control group and its ancestors; nil without one.
  ///
  /// - Parameters:
  ///   - groups: the text of `/proc/self/cgroup`.
  ///   - contents: reads a file; nil if there is none.
  package static func groupLimit(groups: String, _ contents: (String) -> String?) -> Int? {
    var limits: [Int] = []
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let unified = fields[0] == "0" && fields[1].isEmpty
      guard unified || fields[1].split(separator: ",").contains("memory") else { continue }
      // Ancestors limit too; in a container only the mount's root may exist.
      var path = fields[2]
      while true {
        let file =
          unified ? "/sys/fs/cgroup\(path)/memory.max" : "/sys/fs/cgroup/memory\(path)/memory.limit_in_bytes"
        // "max", and the older interface's huge number, mean none: the machine's memory is smaller.
        if let text = contents(file), let bytes = Int(text.filter { !$0.isWhitespace }) { limits.append(bytes) }
        guard let slash = path.lastIndex(of: "/") else { break }
        path = path[..<slash]
      }
    }
    return limits.min()
  }

  private static func statusBytes(_ name: String) -> Int? {
    field(name, of: SystemFile.contents("/proc/self/status") ?? "")
  }

  /// `VmHWM:   1234 kB` → bytes.
  package static func field(_ name: String, of text: String) -> Int? {
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
    return Int(line.dropFirst(name.count).filter(\.isNumber)).map { $0 * 1024 }
  }
}

/// Small files of the system, as `/proc` has them.
enum SystemFile {
  /// The first 16 KB of a file; nil if it cannot be read.
  static func contents(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 16_384)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    guard count >= 0 else { return nil }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
