internal import Tensors

// KernelBenchmarks [conv|linear|int8|attention|norm …] [THREADS] [--only TEXT]: the kernels at the shapes of SDXL-Turbo.

let device = try CPUDevice(threads: selection.threads)
let peak = device.peakRate() / 1e9
print("\(device.choice.instructionSet), \(device.pool.threads) threads, peak \(Int(peak)) GFLOP/s")
if selection.wants(group: "conv") { try benchmarkConvolutions(device, .fp32) }
if selection.wants(group: "int16") { try benchmarkConvolutions(device, .int16) }
if selection.wants(group: "int16") { try benchmarkRoundedLinears(device) }
if selection.wants(group: "linear") { try benchmarkLinears(device, int8: false) }
if selection.wants(group: "int8") { try benchmarkLinears(device, int8: true) }
if selection.wants(group: "attention") { try benchmarkAttention(device) }
if selection.wants(group: "norm") { try benchmarkNorms(device) }
