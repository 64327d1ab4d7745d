internal import Safetensors

/// `….safetensors.index.json`: which shard holds which tensor.
struct ShardIndex {
  let path: String
  /// File name of each tensor's shard.
  let weightMap: [String: String]

  private struct Contents: Decodable {
    let weightMap: [String: String]

    init(from decoder: any Decoder) throws {
      let index = try ConfigReader(decoder)
      weightMap = try index.required("weight_map")
    }
  }

  /// Reads the index. A shard must be a file of the index's own folder: a name that leads elsewhere is refused.
  init(path: String) throws {
    self.path = path
    weightMap = try ConfigFile.decode(Contents.self, path: path).weightMap
    guard !weightMap.isEmpty else {
      throw CheckpointError(.invalidWeights, path: path, "weight_map is empty")
    }
    for shard in Set(weightMap.values).sorted() {
      guard shard.hasSuffix(".safetensors"), !shard.hasPrefix("."), !shard.contains("/"), !shard.contains("\\"),
        !shard.contains("\0")
      else {
        throw CheckpointError(
          .invalidWeights, path: path,
          "weight_map names the file \(quoted(shard)), expected the bare name of a .safetensors file beside it")
      }
    }
  }

  /// Opens every shard, and checks that index and shards agree tensor by tensor.
  func open(in folder: String) throws -> [SafetensorsFile] {
    var files: [SafetensorsFile] = []
    var owner: [String: String] = [:]
    for shard in Set(weightMap.values).sorted() {
      let file = try openWeights("\(folder)/\(shard)")
      for name in file.tensors.keys.sorted() {
        if let other = owner.updateValue(shard, forKey: name) {
          throw CheckpointError(.invalidWeights, path: file.path, "tensor \(name) is also in \(other)")
        }
        guard let stated = weightMap[name] else {
          throw CheckpointError(.invalidWeights, path: file.path, "tensor \(name) is not in \(path)")
        }
        guard stated == shard else {
          throw CheckpointError(
            .invalidWeights, path: file.path, "tensor \(name) is here, but \(path) says that it is in \(stated)")
        }
      }
      files.append(file)
    }
    if let missing = weightMap.keys.filter({ owner[$0] == nil }).min() {
      throw CheckpointError(
        .invalidWeights, path: path, "tensor \(missing) is not in \(weightMap[missing] ?? ""), as weight_map says")
    }
    return files
  }
}
