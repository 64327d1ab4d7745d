import Diffusion
import Foundation
import Safetensors

/// A model folder of its own for one test: a complete SD-Turbo or SDXL-Turbo index with empty components, to which
/// a test writes what it is about. Removed with this object.
final class CheckpointScratch {
  let path: String

  init(_ family: ModelIndex.Family = .sdTurbo) throws {
    path = NSTemporaryDirectory() + "/checkpoint-tests-\(UUID().uuidString)"
    for (component, _) in family.requiredComponents {
      try FileManager.default.createDirectory(atPath: "\(path)/\(component)", withIntermediateDirectories: true)
    }
    try write(Self.index(family), to: "model_index.json")
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// `model_index.json`, with `changes` in place of the usual members.
  static func index(_ family: ModelIndex.Family, _ changes: [String: Any] = [:]) -> [String: Any] {
    var index: [String: Any] = [
      "_class_name": family.pipelineClass, "_diffusers_version": "0.24.0.dev0",
      "feature_extractor": [NSNull(), NSNull()], "safety_checker": [NSNull(), NSNull()],
      "requires_safety_checker": true,
    ]
    for (name, classes) in family.requiredComponents {
      index[name] = ["a library", classes.first ?? "EulerDiscreteScheduler"]
    }
    return index.merging(changes) { $1 }
  }

  /// Writes a JSON file.
  func write(_ json: Any, to name: String) throws {
    let data = try JSONSerialization.data(withJSONObject: json, options: [.sortedKeys, .prettyPrinted])
    try data.write(to: URL(filePath: "\(path)/\(name)"))
  }

  /// Writes text.
  func write(text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"))
  }

  /// Writes a weight file of one-element tensors, each with its own value.
  func write(weights: [String: Float], to name: String) throws {
    try write(weights.map { .init(name: $0.key, shape: [1], floats: [$0.value]) }, to: name)
  }

  /// Writes a weight file.
  func write(_ entries: [SafetensorsWriter.Entry], to name: String) throws {
    try SafetensorsWriter.write(entries, metadata: ["format": "pt"], to: "\(path)/\(name)")
  }

  /// Opens the folder.
  func open(variant: String? = nil) throws -> CheckpointFolder {
    try CheckpointFolder(path: path, variant: variant)
  }

  /// Decodes a component's configuration from `json`.
  func decode<T: Decodable>(_ type: T.Type, _ component: String, _ json: [String: Any]) throws -> T {
    try write(json, to: "\(component)/\(component == "scheduler" ? "scheduler_config" : "config").json")
    return try open().config(type, component: component)
  }
}

/// The error that `body` throws, or nil.
func checkpointError(_ body: () throws -> Void) throws -> CheckpointError? {
  do {
    try body()
    return nil
  } catch let error as CheckpointError {
    return error
  }
}

/// One JSON value, as it stands in a file.
func parse(_ json: String) throws -> Any {
  try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
}
