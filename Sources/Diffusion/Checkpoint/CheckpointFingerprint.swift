internal import FoundationEssentials
internal import Safetensors

/// What identifies a model. This target has no cryptography; whoever has hashes what these functions give.
extension CheckpointFolder {
  /// A canonical listing to hash, made in about a second however large the weights and cold the disk. Equal for equal
  /// folders wherever they lie; different when a configuration, a vocabulary, a tensor's name, type or shape, or a
  /// file's size differs.
  ///
  /// Of the weights themselves it has 64 samples of 4 KiB in each file, evenly spread: enough to tell trainings
  /// of one architecture apart, which change every weight. It is no proof against tampering: for that, hash
  /// ``files()`` whole.
  public func fingerprintInput() throws -> [UInt8] {
    var listing = Array("tintype-model 1\n".utf8)
    for path in try configurationFiles() {
      append(path, contents: Array(try ConfigFile.read(path)), to: &listing)
    }
    for component in index.weightComponents {
      for file in try weightFiles(component: component).files {
        append(file.path, contents: file.headerBytes + file.samples, to: &listing)
      }
    }
    return listing
  }

  /// Path of every file that a picture depends on, in a fixed order: configurations and vocabularies, then weights.
  public func files() throws -> [String] {
    try configurationFiles()
      + index.weightComponents.flatMap { component in
        let weights = try weightFiles(component: component)
        return (weights.indexPath.map { [$0] } ?? []) + weights.files.map(\.path)
      }
  }

  /// `path` without the model folder in front of it.
  public func relative(_ path: String) -> String {
    path.hasPrefix(self.path + "/") ? String(path.dropFirst(self.path.count + 1)) : path
  }

  /// The small files that are there. A tokenizer may lack some, and then has their defaults.
  private func configurationFiles() throws -> [String] {
    let components = index.family.requiredComponents.flatMap { component, _ in
      let names =
        component.hasPrefix("tokenizer")
        ? ["tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"]
        : [Self.configName(component)]
      return names.map { "\(path)/\(component)/\($0)" }
    }
    return ["\(path)/model_index.json"] + components.filter { FileManager.default.fileExists(atPath: $0) }
  }

  /// Lengths come before contents, so no two listings can run together into the same bytes.
  private func append(_ path: String, contents: [UInt8], to listing: inout [UInt8]) {
    listing += Array("\(relative(path))\n\(contents.count)\n".utf8)
    listing += contents
  }
}

extension SafetensorsFile {
  /// The file's size, and blocks of the tensors' bytes.
  var samples: [UInt8] {
    let (block, count) = (4096, 64)
    let payload = headerBytes.count..<byteCount
    let size = Array("\(byteCount)\n".utf8)
    guard payload.count > block * count else { return size + bytes(in: [payload]) }
    return size
      + bytes(
        in: (0..<count).map { index in
          let start = payload.lowerBound + (payload.count - block) * index / (count - 1)
          return start..<start + block
        })
  }
}
