internal import Safetensors
internal import Tensors

/// A component's linear layers in int8: a file beside the weights that they were made from, mapped like those and shared by all workers
/// of a machine.
struct QuantizedWeights: Sendable {
  /// Rises when what is written changes its meaning.
  private static let format = "tintype-int8 1"

  let file: SafetensorsFile
  private let shapes: [String: [Int]]

  /// Opens the file at `path`, and reads all of it to see that it is sound.
  ///
  /// - Returns: nil when it is absent, damaged, of another version, or made from other weights.
  init?(path: String, source: QuantizationSource) {
    guard let file = try? SafetensorsFile(path: path) else { return nil }
    guard file.metadata["format"] == Self.format, file.metadata["source"] == source.identity else { return nil }
    for layer in source.layers {
      guard (try? file.quantizedParameter(layer.name, shape: layer.shape, isChecked: true)) != nil else { return nil }
    }
    self.file = file
    shapes = Dictionary(uniqueKeysWithValues: source.layers.map { ($0.name, $0.shape) })
  }

  /// The layer `name`, if it is here; it was checked when the file was opened.
  func layer(_ name: String) throws -> QuantizedParameter? {
    guard let shape = shapes[name] else { return nil }
    return try file.quantizedParameter(name, shape: shape, isChecked: false)
  }

  /// Rounds all layers and puts the file at `path`, whole or not at all.
  ///
  /// It is not synchronised to the disk: what a power failure leaves of it does not match its checksums and is made anew.
  static func write(_ source: QuantizationSource, to path: String, progress: (Double) throws -> Void) throws {
    let layers = Dictionary(uniqueKeysWithValues: source.layers.map { ($0.name, $0) })
    var done = 0
    try SafetensorsWriter.write(
      source.layers.map {
        .init(name: $0.name, dtype: .uint8, shape: [QuantizedParameter.recordByteCount($0.shape)])
      }, metadata: ["format": format, "source": source.identity], to: path
    ) { tensor in
      try progress(Double(done) / Double(layers.count))
      done += 1
      guard let layer = layers[tensor.name] else { preconditionFailure("\(tensor.name) was not asked for") }
      let weight = try layer.file.parameter(layer.storedName).reshaped(layer.shape)
      // The original is needed no more, now or later: without this all of them would be in memory at the end.
      defer { try? layer.file.release(layer.storedName) }
      return QuantizedParameter.record(of: weight, name: tensor.name)
    }
  }
}

/// What int8 weights are made from.
struct QuantizationSource {
  struct Layer {
    /// As networks ask for it.
    let name: String
    /// `[out, in]`
    let shape: [Int]
    let file: SafetensorsFile
    let storedName: String
  }

  /// All that may be int8, whatever a rule takes of them, in a fixed order.
  let layers: [Layer]
  /// Differs when the weights do: a hash of header, size, time of change and samples of each file.
  let identity: String

  init(component: String, files: [SafetensorsFile]) {
    layers = files.flatMap { file in
      file.tensors.values.compactMap { tensor -> Layer? in
        let name = WeightNames.current(tensor.name, component: component)
        guard let kind = QuantizationRule.Kind(component: component, name: name), !kind.isInt16,
          tensor.dtype.parameterType != nil
        else { return nil }
        let shape =
          tensor.shape.count == 4 && tensor.shape.suffix(2) == [1, 1] ? Array(tensor.shape.prefix(2)) : tensor.shape
        guard QuantizedParameter.canHold(shape) else { return nil }
        return Layer(name: name, shape: shape, file: file, storedName: tensor.name)
      }
    }.sorted { $0.name < $1.name }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for file in files {
      for byte in file.headerBytes + file.samples + Array("\(file.changeTime)".utf8) {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
      }
    }
    identity = String(hash, radix: 16)
  }
}
