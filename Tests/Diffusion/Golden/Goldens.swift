import Diffusion
import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

/// A device that goldens run on: the product, and its slow twin.
enum GoldenDevice: String, CaseIterable, CustomTestStringConvertible {
  case reference, cpu

  func make() throws -> any Device {
    switch self {
    case .reference: ReferenceDevice()
    case .cpu: try CPUDevice(threads: 2)
    }
  }

  var testDescription: String { rawValue }
}

/// A model of `Tests/Fixtures/pipelines`; see `Tests/Reference/README.md`.
struct GoldenModel: Sendable, CustomTestStringConvertible {
  let name: String

  /// SDXL's layout, fp16; SD's, fp32; and what other checkpoints write differently, bf16.
  static let all = ["sdxl", "sd", "layouts"].map(GoldenModel.init)

  var folder: String { ProjectFiles.fixtures.appending(path: "pipelines/\(name)/model").path }
  var testDescription: String { name }

  func checkpoint() throws -> CheckpointFolder { try CheckpointFolder(path: folder) }
  func pipeline(_ device: GoldenDevice) throws -> DiffusionPipeline {
    try DiffusionPipeline.load(from: folder, device: device.make())
  }

  /// What diffusers computed.
  func expected(_ file: String) throws -> SafetensorsFile {
    try SafetensorsFile(
      path: ProjectFiles.fixtures.appending(path: "pipelines/\(name)/expected/\(file).safetensors").path)
  }

  /// Names of the expected files that begin with `prefix`.
  func files(_ prefix: String) throws -> [String] {
    let folder = ProjectFiles.fixtures.appending(path: "pipelines/\(name)/expected").path
    return try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix(prefix) }
      .map { String($0.dropLast(".safetensors".count)) }.sorted()
  }
}

/// A request of the manifest, whose outcome is known.
struct GoldenCase: Decodable, Sendable {
  let name: String, prompt: String
  let negativePrompt: String?
  let steps: Int
  let guidanceScale: Double
  let seed: Int64
  let width: Int, height: Int
  let strength: Double?
  let imageCount: Int

  /// The request, with the picture that the expected file holds if it starts from one.
  func request(_ expected: SafetensorsFile) throws -> GenerationRequest {
    let picture = try strength.map { _ in
      RGBPixels(width: width, height: height, bytes: try expected.integers("init_image").map { UInt8($0) })
    }
    return GenerationRequest(
      prompt: prompt, negativePrompt: negativePrompt, width: width, height: height, steps: steps,
      guidanceScale: guidanceScale, seed: seed, imageCount: imageCount, initialImage: picture, strength: strength ?? 1)
  }
}

/// `Tests/Fixtures/pipelines/manifest.json`.
struct GoldenManifest: Decodable, Sendable {
  let models: [String: [GoldenCase]]

  static func load() throws -> GoldenManifest {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      GoldenManifest.self, from: Data(contentsOf: ProjectFiles.fixtures.appending(path: "pipelines/manifest.json")))
  }
}
