internal import FoundationEssentials
internal import Safetensors

/// The weight files of one component, chosen from its folder and opened.
///
/// Names, as diffusers and transformers write them (`BASE` is `diffusion_pytorch_model`, or `model` for the text
/// encoders; `V` is a variant, as `fp16`):
///
/// | | plain | variant |
/// |---|---|---|
/// | one file | `BASE.safetensors` | `BASE.V.safetensors` |
/// | index | `BASE.safetensors.index.json` | `BASE.safetensors.index.V.json`, older: `BASE.safetensors.V.index.json`, `BASE.V.safetensors.index.json` |
/// | shards | whatever the index names | whatever the index names |
struct WeightFiles {
  /// Every tensor is in exactly one of them.
  let files: [SafetensorsFile]
  /// Nil when the plain files were taken.
  let variant: String?
  /// The shard index, when there is one.
  let indexPath: String?

  /// Opens the weights in `folder`. With no `variant`, plain files are preferred; without plain ones, the only variant
  /// that is there is taken.
  init(folder: String, component: String, variant wanted: String?) throws {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw CheckpointError(
        .missingFile, path: folder, "no such folder: model_index.json lists the component \(component)", cause: error)
    }
    let base = component.hasPrefix("text_encoder") ? "model" : "diffusion_pytorch_model"
    let found = Dictionary(
      names.compactMap { name in WeightFileName(name, base: base).map { ($0.variant, $0) } },
      uniquingKeysWith: { a, b in a.isIndex ? b : a })  // A whole file needs no index.

    let chosen: WeightFileName
    if let exact = found[wanted] {
      chosen = exact
    } else if wanted == nil, found.count == 1, let only = found.values.first {
      chosen = only
    } else {
      throw Self.nothingChosen(folder: folder, base: base, names: names, found: found, wanted: wanted)
    }
    variant = chosen.variant
    let path = "\(folder)/\(chosen.fileName)"
    if chosen.isIndex {
      indexPath = path
      files = try ShardIndex(path: path).open(in: folder)
    } else {
      indexPath = nil
      files = [try openWeights(path)]
    }
  }

  private static func nothingChosen(
    folder: String, base: String, names: [String], found: [String?: WeightFileName], wanted: String?
  ) -> CheckpointError {
    let variants = found.keys.compactMap { $0 }.sorted()
    if let wanted {
      let there = (found[nil] == nil ? [] : ["plain"]) + variants
      return CheckpointError(
        .missingFile, path: folder,
        "has no weights of the variant \"\(wanted)\"; there are: \(there.isEmpty ? "none" : there.joined(separator: ", "))"
      )
    }
    if !variants.isEmpty {
      return CheckpointError(
        .missingFile, path: folder,
        "has no \(base).safetensors but several variants: name one of \(variants.joined(separator: ", "))")
    }
    if let old = names.first(where: { $0.hasSuffix(".bin") || $0.hasSuffix(".ckpt") || $0.hasSuffix(".pt") }) {
      return CheckpointError(
        .missingFile, path: folder,
        "has \(old) but no \(base).safetensors. Pickled weights can run code and are not read: download the "
          + ".safetensors files, or convert with diffusers' save_pretrained(…, safe_serialization=True)")
    }
    if let shard = names.first(where: { $0.hasPrefix(base) && $0.contains("-of-") && $0.hasSuffix(".safetensors") }) {
      return CheckpointError(
        .missingFile, path: folder,
        "has the shard \(shard), but not the index \(base).safetensors.index.json: download it too")
    }
    return CheckpointError(
      .missingFile, path: folder,
      "has no \(base).safetensors (nor a .fp16 variant, nor an index of shards); download the folder again")
  }
}

/// Maps one weight file; what is wrong with it is an error of the checkpoint.
func openWeights(_ path: String) throws -> SafetensorsFile {
  do {
    return try SafetensorsFile(path: path)
  } catch let error as SafetensorsError {
    throw CheckpointError(
      error.code == .inputOutput ? .missingFile : .invalidWeights, path: path,
      "\(error.tensor.map { "tensor \($0): " } ?? "")\(error.message)", cause: error)
  }
}

/// A file name that a component's weights can begin with: a whole file or an index, plain or of a variant.
struct WeightFileName {
  let fileName: String
  /// Nil: plain.
  let variant: String?
  let isIndex: Bool

  /// Nil when `name` is something else, a shard among them.
  init?(_ name: String, base: String) {
    guard name.hasPrefix(base + ".") else { return nil }
    let parts = name.dropFirst(base.count + 1).split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    switch parts.count {
    case 1 where parts == ["safetensors"]: (variant, isIndex) = (nil, false)
    case 2 where parts[1] == "safetensors": (variant, isIndex) = (parts[0], false)
    case 3 where parts == ["safetensors", "index", "json"]: (variant, isIndex) = (nil, true)
    case 4 where parts[0] == "safetensors" && parts[1] == "index" && parts[3] == "json":
      (variant, isIndex) = (parts[2], true)
    case 4 where parts[0] == "safetensors" && parts[2] == "index" && parts[3] == "json":
      (variant, isIndex) = (parts[1], true)
    case 4 where parts[1] == "safetensors" && parts[2] == "index" && parts[3] == "json":
      (variant, isIndex) = (parts[0], true)
    default: return nil
    }
    // `model.fp16-00001-of-00002.safetensors` is a shard: its index says so.
    guard variant?.contains("-of-") != true else { return nil }
    fileName = name
  }
}
