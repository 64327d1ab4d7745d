internal import Tensors

// KernelBenchmarks [conv|linear|int8|attention …] [THREADS]: the kernels at the shapes of SDXL-Turbo, as a fraction of the processor's peak.

let arguments = CommandLine.arguments.dropFirst()
let threads = arguments.compactMap { Int($0) }.first
let chosen = Set(arguments.filter { Int($0) == nil })
let device = try CPUDevice(threads: threads)
print("\(device.choice.instructionSet), \(device.pool.threads) threads")
if chosen.isEmpty || chosen.contains("conv") { try benchmarkConvolutions(device) }
if chosen.isEmpty || chosen.contains("linear") { try benchmarkLinears(device, int8: false) }
if chosen.isEmpty || chosen.contains("int8") { try benchmarkLinears(device, int8: true) }
if chosen.isEmpty || chosen.contains("attention") { try benchmarkAttention(device) }
