internal import Tensors

// KernelBenchmarks [conv|…] [THREADS]: the kernels at the shapes of SDXL-Turbo, as a fraction of the processor's peak.

let arguments = CommandLine.arguments.dropFirst()
let threads = arguments.compactMap { Int($0) }.first
let chosen = Set(arguments.filter { Int($0) == nil })
let device = try CPUDevice(threads: threads)
print("\(device.choice.instructionSet), \(device.pool.threads) threads")
if chosen.isEmpty || chosen.contains("conv") { try benchmarkConvolutions(device) }
