import Tensors
import Testing

/// What the system says about memory.
@Suite struct ProcessMemoryTests {
  @Test func fieldsOfProcAreReadInBytes() {
    let text = "Name:\tx\nVmHWM:\t  1234 kB\nVmRSS:\t   5 kB\n"
    #expect(ProcessMemory.field("VmHWM:", of: text) == 1234 * 1024)
    #expect(ProcessMemory.field("VmRSS:", of: text) == 5 * 1024)
    #expect(ProcessMemory.field("VmSwap:", of: text) == nil)
  }

  @Test func theSmallestLimitOfTheGroupAndItsAncestorsCounts() {
    let files = [
      "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/memory.max": "4096\n",
      "/sys/fs/cgroup/memory.max": "8192\n", "/sys/fs/cgroup/memory/old/memory.limit_in_bytes": "1000\n",
    ]
    #expect(ProcessMemory.groupLimit(groups: "0::/a/b\n") { files[$0] } == 4096)
    #expect(ProcessMemory.groupLimit(groups: "0::/other\n") { files[$0] } == 8192)
    #expect(ProcessMemory.groupLimit(groups: "5:cpu,memory:/old\n0::/x\n") { files[$0] } == 1000)
    #expect(ProcessMemory.groupLimit(groups: "5:cpu:/old\n") { files[$0] } == nil)
  }

  @Test func thisProcessIsWithinItsLimits() throws {
    let (resident, peak) = (try #require(ProcessMemory.resident), try #require(ProcessMemory.peakResident))
    #expect(resident > 0)
    #expect(try peak <= #require(ProcessMemory.limit))
    #expect(try #require(ProcessMemory.available) > 0)
  }
}
