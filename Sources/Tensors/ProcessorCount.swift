#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// How many processors this process may keep busy.
///
/// The machine's count is the wrong answer in a container: eight threads on a quota of two processors spend
/// their quota in a quarter of each period and then the whole group stands still, with it the thread that keeps
/// the worker's lease. So the affinity mask and the control group's quota count, and the smallest wins.
public enum ProcessorCount {
  /// Processors in the affinity mask, limited by the `cpu.max` of the control group and its ancestors; at least 1.
  public static var available: Int {
    let quota = quota(groups: SystemFile.contents("/proc/self/cgroup") ?? "", contents: SystemFile.contents)
    return max(1, min(affinity, quota ?? affinity))
  }

  /// Processors that the affinity mask allows.
  ///
  /// Read from `/proc` because the C call is hidden from Swift (it is a GNU extension); elsewhere all processors count.
  static var affinity: Int {
    affinity(status: SystemFile.contents("/proc/self/status") ?? "")
      ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  /// Processors in the `Cpus_allowed_list` line ("0-3,8") of `/proc/self/status`; nil without such a line.
  package static func affinity(status: String) -> Int? {
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") }) else {
      return nil
    }
    var count = 0
    for range in line.dropFirst("Cpus_allowed_list:".count).split(separator: ",") {
      let ends = range.split(separator: "-").compactMap { Int($0.filter { !$0.isWhitespace }) }
      guard let first = ends.first, let last = ends.last, first <= last else { return nil }
      count += last - first + 1
    }
    return count > 0 ? count : nil
  }

  /// Whole processors that the control groups' quotas leave; nil without a quota.
  ///
  /// - Parameters:
  ///   - groups: the text of `/proc/self/cgroup`: `hierarchy:controllers:path` lines.
  ///   - contents: reads a file; nil if there is none.
  package static func quota(groups: String, contents: (String) -> String?) -> Int? {
    var limits: [Double] = []
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let unified = fields[0] == "0" && fields[1].isEmpty
      guard unified || fields[1].split(separator: ",").contains("cpu") else { continue }
      // A group obeys its ancestors' limits too. In a container the path may be the host's, so that only the
      // mount's root exists; climbing to it finds that one as well.
      var path = fields[2]
      while true {
        limits +=
          unified
          ? [limit(unified: contents("/sys/fs/cgroup\(path)/cpu.max"))].compactMap(\.self)
          : [
            limit(
              quota: contents("/sys/fs/cgroup/cpu\(path)/cpu.cfs_quota_us"),
              period: contents("/sys/fs/cgroup/cpu\(path)/cpu.cfs_period_us"))
          ].compactMap(\.self)
        guard let slash = path.lastIndex(of: "/") else { break }
        path = path[..<slash]
      }
    }
    // Rounded down: a fraction of a processor is left for the threads that are not ours.
    return limits.min().map { max(1, Int($0)) }
  }

  /// `cpu.max`: "quota period" in microseconds, or "max period".
  private static func limit(unified text: String?) -> Double? {
    let numbers = (text ?? "").split(whereSeparator: \.isWhitespace).map { Double($0) }
    guard numbers.count == 2, let quota = numbers[0], let period = numbers[1], period > 0 else { return nil }
    return quota / period
  }

  /// The older interface: one file each, a quota of -1 means none.
  private static func limit(quota: String?, period: String?) -> Double? {
    guard let quota, let period else { return nil }
    guard !quota.hasPrefix("-") else { return nil }
    return limit(unified: quota + " " + period)
  }
}
