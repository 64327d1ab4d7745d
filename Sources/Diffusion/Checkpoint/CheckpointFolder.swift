internal import FoundationEssentials
internal import Safetensors

/// A model on disk, in the folder layout of diffusers: `model_index.json`, and beside it one folder for each component
/// with its configuration and weights.
public struct CheckpointFolder: Sendable {
  /// Where it is.
  public let path: String
  /// Its `model_index.json`.
  public let index: ModelIndex
  /// Which weights to take where a component has several, as `fp16`; nil prefers the plain ones.
  public let variant: String?

  /// Opens the folder at `path` and reads its index. Components are read when they are asked for.
  ///
  /// - Throws: ``CheckpointError``; for what looks like another layout of the same model it says what to do.
  public init(path: String, variant: String? = nil) throws {
    var isFolder = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CheckpointError(.notACheckpoint, path: path, "no such folder")
    }
    let advice =
      "needed is a folder in the diffusers layout, with model_index.json, unet, vae, text_encoder, tokenizer and "
      + "scheduler inside: download the whole repository"
    guard isFolder else {
      throw CheckpointError(.notACheckpoint, path: path, "is a file; \(advice), not the single-file checkpoint")
    }
    let indexPath = "\(path)/model_index.json"
    guard FileManager.default.fileExists(atPath: indexPath) else {
      let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
      let single = names.first { $0.hasSuffix(".safetensors") || $0.hasSuffix(".ckpt") }
      throw CheckpointError(
        .notACheckpoint, path: path,
        "has no model_index.json\(single.map { ", but \($0), a single-file checkpoint" } ?? ""); \(advice)")
    }
    self.path = path
    self.variant = variant
    index = try ConfigFile.decode(ModelIndex.self, path: indexPath)
    for (component, _) in index.family.requiredComponents {
      let folder = "\(path)/\(component)"
      guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder else {
        throw CheckpointError(
          .missingFile, path: folder,
          "no such folder, but \(index.family.pipelineClass) cannot run without its \(component); "
            + "download the whole repository")
      }
    }
  }

  /// Decodes a component's configuration: `scheduler_config.json` for the scheduler, `config.json` for the others.
  public func config<T: Decodable>(_ type: T.Type = T.self, component: String) throws -> T {
    try ConfigFile.decode(type, path: "\(try folder(of: component))/\(Self.configName(component))")
  }

  /// The two configuration files of a tokenizer, merged.
  public func tokenizerConfig(component: String) throws -> TokenizerConfig {
    try TokenizerConfig(folder: folder(of: component))
  }

  /// Opens a component's weights and checks the files.
  ///
  /// - Parameter prefetches: whether the bytes of each tensor are read ahead once it is taken; a network that will not
  ///   compute asks for none.
  public func weights(component: String, prefetches: Bool = true) throws -> WeightStore {
    let files = try weightFiles(component: component).files
    return try WeightStore(
      component: component, folder: folder(of: component), files: files, prefetches: prefetches)
  }

  /// The same with linear layers in int8, which are made first where they are not at hand.
  ///
  /// - Parameters:
  ///   - willCompute: whether anything will be computed; int8 weights are not looked for otherwise, but counted.
  ///   - progress: told the share that is made, 0…1, while they are; what it throws ends the loading.
  func weights(
    component: String, _ quantization: Quantization, willCompute: Bool, progress: (Double) throws -> Void
  ) throws -> WeightStore {
    let files = try weightFiles(component: component).files
    let source = QuantizationSource(component: component, files: files)
    let quantized =
      willCompute && !source.layers.isEmpty
      ? try QuantizationCache(model: path, folder: quantization.cacheFolder)
        .weights(component: component, from: source, progress: progress) : nil
    return try WeightStore(
      component: component, folder: folder(of: component), files: files, prefetches: willCompute,
      rule: quantization.rule, quantized: quantized)
  }

  func weightFiles(component: String) throws -> WeightFiles {
    try WeightFiles(folder: folder(of: component), component: component, variant: variant)
  }

  /// The folder of a component that the index lists.
  public func folder(of component: String) throws -> String {
    guard index.components[component] != nil else {
      throw CheckpointError(
        .missingFile, path: "\(path)/model_index.json",
        "lists no \(component); it lists \(index.components.keys.sorted().joined(separator: ", "))")
    }
    return "\(path)/\(component)"
  }

  static func configName(_ component: String) -> String {
    switch component {
    case "scheduler": "scheduler_config.json"
    case let name where name.hasPrefix("tokenizer"): "tokenizer_config.json"
    default: "config.json"
    }
  }
}

extension TokenizerConfig {
  /// Reads `tokenizer_config.json` and `special_tokens_map.json` of a tokenizer's folder, those that are there.
  public init(folder: String) throws {
    func decode<T: Decodable>(_ type: T.Type, _ name: String) throws -> T? {
      let path = "\(folder)/\(name)"
      return FileManager.default.fileExists(atPath: path) ? try ConfigFile.decode(type, path: path) : nil
    }
    self.init(
      config: try decode(TokenizerConfigFile.self, "tokenizer_config.json"),
      specialTokens: try decode(SpecialTokensMap.self, "special_tokens_map.json"))
  }
}
