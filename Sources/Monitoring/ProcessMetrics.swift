internal import Glibc

/// What the kernel says of this process, under the names that Prometheus' client libraries use.
public enum ProcessMetrics {
  /// Lines of the text format; a line that cannot be read is left out.
  public static func text() -> String {
    var usage = rusage()
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    var lines = [
      family(
        "process_cpu_seconds_total", "counter", "Processor time, user and system.",
        seconds(usage.ru_utime) + seconds(usage.ru_stime)),
      family(
        "process_max_resident_memory_bytes", "gauge", "The most memory since the start.",
        Double(usage.ru_maxrss) * 1024),
    ]
    if let pages = fields("/proc/self/statm").dropFirst().first.flatMap(Double.init) {
      let size = Double(sysconf(Int32(_SC_PAGESIZE)))
      lines.append(family("process_resident_memory_bytes", "gauge", "Memory in use.", pages * size))
    }
    return lines.joined()
  }

  private static func family(_ name: String, _ kind: String, _ help: String, _ value: Double) -> String {
    "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n\(name) \(value)\n"
  }

  private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

  private static func fields(_ path: String) -> [Substring] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).split(separator: " ")
  }
}
