internal import Diffusion
internal import Foundation
internal import Tensors

// FidelityBenchmark MODEL [WIDTHxHEIGHT] [--cache DIR] [--seeds N] [--sensitivity]: how far int8 is from fp32, on the same model, prompt and
// seeds: relative error of the prompt's encoding and of the UNet's output, PSNR and SSIM of the picture, and what both take. With
// --sensitivity, each kind of layer is rounded alone.

let arguments = Array(CommandLine.arguments.dropFirst())
let values = Dictionary(zip(arguments, arguments.dropFirst()), uniquingKeysWith: { first, _ in first })
let cache = values["--cache"]
let seeds = values["--seeds"].flatMap { Int($0) } ?? 1
let measuresSensitivity = arguments.contains("--sensitivity")
let sides = arguments.dropFirst().compactMap { argument -> (Int, Int)? in
  let sides = argument.split(separator: "x").compactMap { Int($0) }
  return sides.count == 2 ? (sides[0], sides[1]) : nil
}.first
guard let model = arguments.first, !model.hasPrefix("--") else {
  print("usage: FidelityBenchmark MODEL [WIDTHxHEIGHT] [--cache DIR] [--seeds N] [--sensitivity]")
  exit(2)
}

let trial = try Trial(model: model, size: sides, seeds: seeds, cacheFolder: cache)
print(trial.heading)
try trial.measure("fp32", nil)
try trial.measure("int8", Quantization(cacheFolder: cache))
if measuresSensitivity {
  print("")
  try trial.measure(
    "all that can be", Quantization(rule: .init(Set(QuantizationRule.Kind.allCases)), cacheFolder: cache))
  for kind in QuantizationRule.Kind.allCases {
    try trial.measure("\(kind.rawValue) alone", Quantization(rule: .init([kind]), cacheFolder: cache))
  }
}
