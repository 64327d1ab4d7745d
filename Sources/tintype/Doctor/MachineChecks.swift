import Diffusion
import ImageJobs
import Tensors

/// What computes, and with how much memory.
struct MachineChecks {
  let threads: PositiveInteger?
  let memoryLimit: ByteCount?

  func findings() -> [DoctorFinding] {
    DoctorFinding.of("processor") { try processor() } + [memory()]
  }

  private func processor() throws -> [DoctorFinding] {
    let device = try CPUDevice(threads: threads?.value)
    let (found, choice) = (Processor.current, device.choice)
    let name = found.name.isEmpty ? "unnamed processor" : found.name
    let caches = [found.level1Cache, found.level2Cache, found.level3Cache].map { "\($0 / 1024) KB" }
      .joined(separator: ", ")
    let detail =
      "\(name), caches \(caches); kernels: \(choice.instructionSet.rawValue), \(choice.reason)"
    var findings: [DoctorFinding] = []
    if choice.instructionSet == .baseline {
      findings.append(
        .warning(
          "processor", detail,
          remedy:
            "Pictures take several times as long without vector instructions: unset \(KernelChoice.variable), or let "
            + "the virtual machine pass the host's processor through."))
    } else {
      findings.append(.ok("processor", detail))
    }
    let usable = ProcessorCount.available
    let text = "\(device.pool.threads) compute, of \(usable) cores that this process may use"
    findings.append(
      device.pool.threads > usable
        ? .warning("threads", text, remedy: "Give --threads \(usable): more than there are cores wait for each other.")
        : .ok("threads", text))
    return findings
  }

  private func memory() -> DoctorFinding {
    guard let limit = MemoryLimit(memoryLimit).bytes else {
      return .warning("memory", "unknown", remedy: "Set --memory-limit, so that no job can exhaust the machine.")
    }
    let free = ProcessMemory.available.map { ", \(MemoryLimit.gigabytes($0)) free now" } ?? ""
    return .ok("memory", "\(MemoryLimit.gigabytes(limit)) at most\(free)")
  }
}
