import Synchronization
import Tensors
import Testing

/// A number that tasks share.
private final class Counter: Sendable {
  let value = Atomic<Int>(0)
}

@Suite struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 8])
  func everyIndexOnce(threads: Int) {
    let pool = ThreadPool(threads: threads)
    #expect(pool.threads == threads)
    for count in [0, 1, 2, 7, 1000] {
      let seen = Mutex([Int](repeating: 0, count: count))
      pool.run(count: count) { index in seen.withLock { $0[index] += 1 } }
      #expect(seen.withLock { $0 } == [Int](repeating: 1, count: count))
    }
  }

  @Test func atLeastOneThread() {
    #expect(ThreadPool(threads: 0).threads == 1)
    #expect(ThreadPool(threads: -5).threads == 1)
    #expect(ThreadPool().threads == ProcessorCount.available)
  }

  /// What the workers wrote is visible to the caller, loop after loop, whether workers are awake or asleep.
  @Test func writesAreVisible() {
    let pool = ThreadPool(threads: 4)
    var sums = [Int](repeating: 0, count: 16)
    for _ in 0..<3000 {
      unsafe sums.withUnsafeMutableBufferPointer { buffer in
        pool.run(count: 16) { index in unsafe buffer[index] += index }
      }
    }
    #expect(sums == (0..<16).map { 3000 * $0 })
  }

  /// Workers really share a loop: two indices that wait for each other finish only on two threads.
  @Test func runsSideBySide() {
    let pool = ThreadPool(threads: 2)
    let arrived = Atomic<Int>(0)
    pool.run(count: 2) { _ in
      arrived.wrappingAdd(1, ordering: .acquiringAndReleasing)
      while arrived.load(ordering: .acquiring) < 2 {}
    }
    #expect(arrived.load(ordering: .relaxed) == 2)
  }

  /// Loops called for from several threads at once take turns, and none loses an index.
  @Test func severalCallers() async {
    let pool = ThreadPool(threads: 3)
    let total = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<200 { pool.run(count: 5) { index in total.value.wrappingAdd(index, ordering: .relaxed) } }
        }
      }
    }
    #expect(total.value.load(ordering: .relaxed) == 4 * 200 * 10)
  }

  @Test func startsAndStops() {
    for _ in 0..<50 {
      let count = Atomic<Int>(0)
      ThreadPool(threads: 4).run(count: 3) { _ in count.wrappingAdd(1, ordering: .relaxed) }
      #expect(count.load(ordering: .relaxed) == 3)
    }
  }
}

@Suite struct ProcessorCountTests {
  @Test func affinity() {
    #expect(ProcessorCount.affinity(status: "Name:\tx\nCpus_allowed_list:\t0-3,8\nMems:\t0\n") == 5)
    #expect(ProcessorCount.affinity(status: "Cpus_allowed_list:\t7\n") == 1)
    #expect(ProcessorCount.affinity(status: "Cpus_allowed_list:\t?\n") == nil)
    #expect(ProcessorCount.affinity(status: "") == nil)
  }

  @Test func unifiedGroups() {
    let files = [
      "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "/sys/fs/cgroup/a/cpu.max": "250000 100000\n",
      "/sys/fs/cgroup/c/cpu.max": "50000 100000\n",
    ]
    // An ancestor's quota counts; a fraction is rounded down, but never to nothing.
    #expect(ProcessorCount.quota(groups: "0::/a/b\n") { files[$0] } == 2)
    #expect(ProcessorCount.quota(groups: "0::/c\n") { files[$0] } == 1)
    #expect(ProcessorCount.quota(groups: "0::/d\n") { files[$0] } == nil)
  }

  @Test func olderGroups() {
    let files = [
      "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    ]
    #expect(ProcessorCount.quota(groups: "4:memory:/y\n3:cpu,cpuacct:/x\n") { files[$0] } == 3)
    #expect(ProcessorCount.quota(groups: "4:memory:/x\n") { files[$0] } == nil)
    #expect(ProcessorCount.quota(groups: "nonsense") { files[$0] } == nil)
  }

  @Test func atLeastOne() { #expect(ProcessorCount.available >= 1) }
}
