internal import Diffusion
internal import Foundation
internal import Tensors

/// Runs a model in several arithmetics on the same requests, and compares each with the first.
final class Trial {
  /// What one run gave.
  private struct Run {
    let tensors: [String: [Float]]
    let picture: RGBPixels
  }

  private let model: String
  private let size: (Int, Int)?
  private let seeds: Int
  private let device: CPUDevice
  private var expected: [Run] = []

  init(model: String, size: (Int, Int)?, seeds: Int, cacheFolder: String?) throws {
    (self.model, self.size, self.seeds) = (model, size, seeds)
    device = try CPUDevice()
  }

  /// What the columns are.
  var heading: String {
    "\(device.choice.instructionSet), \(device.pool.threads) threads\n"
      + row("", ["load", "text", "UNet", "decode", "resident", "e(text)", "e(UNet)", "PSNR", "SSIM", "worst"])
  }

  /// Draws a picture for each seed and prints a line: seconds and GB (the first picture's included), then the mean over the seeds.
  func measure(_ name: String, _ quantization: Quantization?) throws {
    let start = ContinuousClock.now
    let pipeline = try DiffusionPipeline.load(from: model, device: device, quantization: quantization)
    let load = (ContinuousClock.now - start) / .seconds(1)
    var runs: [Run] = []
    var seconds: [String: [Double]] = [:]
    for seed in 0..<seeds {
      let trace = TraceRecorder()
      let request = GenerationRequest(
        prompt: "a cinematic shot of a baby racoon wearing an intricate italian priest robe", width: size?.0,
        height: size?.1, steps: 1, seed: Int64(seed))
      let result = try pipeline.generate(request, trace: trace)
      for (phase, time) in result.timings { seconds[phase, default: []].append(time) }
      runs.append(Run(tensors: Self.tensors(trace), picture: result.images[0].pixels))
    }
    let resident = Double(Self.residentBytes ?? 0) / 1e9
    let times = ["text", "unet", "vae_decode"].map { Self.median(seconds[$0] ?? []) }
    if expected.isEmpty { expected = runs }
    let pairs = zip(runs, expected)
    let picture = pairs.map { PictureDifference($0.picture, $1.picture) }
    let means = ["prompt_embeds", "noise_pred_0"].map { name in
      Self.mean(pairs.map { Self.relativeError($0.tensors[name] ?? [], $1.tensors[name] ?? []) })
    }
    print(
      row(
        name,
        ([load] + times + [resident]).map { String(format: "%.2f", $0) }
          + means.map { String(format: "%.5f", $0) }
          + [
            String(format: "%.2f", Self.mean(picture.map(\.psnr))),
            String(format: "%.4f", Self.mean(picture.map(\.ssim))),
            "\(picture.map(\.worst).max() ?? 0)",
          ]))
    withExtendedLifetime(pipeline) {}
  }

  private func row(_ name: String, _ columns: [String]) -> String {
    name.padding(toLength: 24, withPad: " ", startingAt: 0)
      + columns.map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
  }

  private static func tensors(_ trace: TraceRecorder) -> [String: [Float]] {
    var tensors: [String: [Float]] = [:]
    for entry in trace.entries {
      if case .float32(let values) = entry.values { tensors[entry.name] = values }
    }
    return tensors
  }

  /// √(Σ (found - expected)² / Σ expected²)
  private static func relativeError(_ found: [Float], _ expected: [Float]) -> Double {
    let error = zip(found, expected).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    return (error / expected.reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
  }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }

  private static func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }

  /// What the process holds at this moment.
  private static var residentBytes: Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
    return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 4096 }
  }
}
