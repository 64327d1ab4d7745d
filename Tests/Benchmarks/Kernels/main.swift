internal import Tensors

// KernelBenchmarks [conv|norm] [THREADS] [--only TEXT]: the kernels at the shapes of SDXL-Turbo.

let device = try CPUDevice(threads: selection.threads)
let peak = device.peakRate() / 1e9
print("\(device.choice.instructionSet), \(device.pool.threads) threads, peak \(Int(peak)) GFLOP/s")
if selection.wants(group: "conv") { try benchmarkConvolutions(device) }
if selection.wants(group: "norm") { try benchmarkNorms(device) }
