internal import Safetensors
public import Tensors

/// The weights of one component. A network takes each tensor once, by name and with the shape that it expects;
/// ``finish()`` then makes sure that nothing is left. So a folder either fills a network exactly or does not load.
///
/// Names are those of the current libraries: `text_model.` in front of a text encoder's names is dropped, and the old
/// names of a VAE's attention are translated, so networks know one spelling. Messages quote the file's own.
///
/// Not thread-safe: a network is loaded by one thread. The weights that it hands out are.
public final class WeightStore {
  private struct Source {
    let file: SafetensorsFile
    let storedName: String
  }

  /// As `unet`, for messages.
  public let component: String
  private let folder: String
  private let prefetches: Bool
  private var sources: [String: Source] = [:]
  private var taken: Set<String> = []
  private let rule: QuantizationRule?
  private let quantized: QuantizedWeights?
  /// Bytes of what was taken, as it is mapped: of layers that a rule selects, those of their int8 form.
  private(set) var mappedBytes = 0
  /// The files that hold what was taken.
  let files: [SafetensorsFile]
  /// Told the share of the tensors that are taken, 0…1, before each one; what it throws ends the loading.
  var willTake: (Double) throws -> Void = { _ in }

  /// Over files whose tensors have no name in common.
  ///
  /// - Parameters:
  ///   - prefetches: whether a weight's bytes are read ahead once it is taken.
  ///   - rule: which layers are rounded; nil for none.
  ///   - quantized: where linear ones are; nil where nothing will be computed.
  init(
    component: String, folder: String, files: [SafetensorsFile], prefetches: Bool, rule: QuantizationRule? = nil,
    quantized: QuantizedWeights? = nil
  ) throws {
    self.rule = rule
    self.quantized = quantized
    self.files = files + (quantized.map { [$0.file] } ?? [])
    self.component = component
    self.folder = folder
    self.prefetches = prefetches
    for file in files {
      for stored in file.tensors.keys {
        let name = WeightNames.current(stored, component: component)
        if let other = sources.updateValue(Source(file: file, storedName: stored), forKey: name) {
          let pair = [other.storedName, stored].sorted().joined(separator: " and ")
          throw CheckpointError(.invalidWeights, path: file.path, "tensors \(pair) are one layer under two names")
        }
      }
    }
  }

  /// Whether `name` is there, taken or not.
  public func contains(_ name: String) -> Bool { sources[name] != nil }

  /// The names that nobody has taken yet, sorted.
  public var remaining: [String] {
    sources.keys.filter { !taken.contains($0) && !WeightNames.isIgnored($0) }.sorted()
  }

  /// The weight `name`, which must be there, have `shape`, and not have been taken before.
  ///
  /// A linear layer's `[out, in]` may be stored as the 1×1 convolution `[out, in, 1, 1]` that it once was.
  ///
  /// - Throws: ``CheckpointError`` that names tensor and file, what was found and what was expected.
  public func take(_ name: String, shape: [Int]) throws -> Parameter {
    let (parameter, source) = try claim(name, shape: shape)
    if prefetches { try source.file.prefetch(source.storedName) }
    mappedBytes += parameter.count * parameter.dtype.byteWidth
    return parameter
  }

  /// As ``take(_:shape:)``, for a table of which a run reads a few rows: it is not read ahead, and does not count as mapped.
  func takeTable(_ name: String, shape: [Int]) throws -> Parameter { try claim(name, shape: shape).0 }

  /// A linear layer's weight, in the form in which it is to be multiplied.
  enum LinearWeight {
    case stored(Parameter)
    case quantized(QuantizedParameter)
  }

  /// As ``take(_:shape:)``, for a linear layer: in int8 if the rule says so, and then the stored weight is not touched.
  func takeLinear(_ name: String, shape: [Int]) throws -> LinearWeight {
    guard let rule, rule.selectsInt8(component: component, name: name), QuantizedParameter.canHold(shape) else {
      return .stored(try take(name, shape: shape))
    }
    let (parameter, _) = try claim(name, shape: shape)
    mappedBytes += QuantizedParameter.recordByteCount(shape)
    return try quantized?.layer(name).map { .quantized($0) } ?? .stored(parameter)
  }

  /// What the layer of a weight may be multiplied in.
  func arithmetic(_ name: String) -> LayerArithmetic {
    rule?.arithmetic(QuantizationRule.Kind(component: component, name: name)) ?? .fp32
  }

  /// What the attention of a module may be multiplied in.
  func attentionArithmetic(_ path: String) -> LayerArithmetic {
    rule?.arithmetic(QuantizationRule.Kind(component: component, attention: path)) ?? .fp32
  }

  /// Finds a weight, marks it as taken and checks its shape. Nothing of it is read.
  private func claim(_ name: String, shape: [Int]) throws -> (Parameter, Source) {
    guard let source = sources[name] else {
      throw CheckpointError(
        .missingTensor, path: folder,
        "has no tensor \(name), expected one of shape \(shape); the configuration and the weights are not of one model")
    }
    guard taken.insert(name).inserted else {
      throw CheckpointError(.unexpectedTensor, path: source.file.path, "tensor \(name) is taken by two layers")
    }
    try willTake(Double(taken.count - 1) / Double(sources.count))
    let parameter: Parameter
    do {
      parameter = try source.file.parameter(source.storedName)
    } catch let error as SafetensorsError {
      throw CheckpointError(
        .unexpectedTensor, path: error.path, "tensor \(source.storedName) \(error.message)", cause: error)
    }
    if parameter.shape == shape { return (parameter, source) }
    if shape.count == 2, parameter.shape == shape + [1, 1] {
      return (parameter.reshaped(shape), source)
    }
    throw CheckpointError(
      .unexpectedTensor, path: source.file.path,
      "tensor \(source.storedName) has the shape \(parameter.shape), expected \(shape); "
        + "the configuration and the weights are not of one model")
  }

  /// ``take(_:shape:)``, or nil when the files do not have `name`.
  public func takeIfPresent(_ name: String, shape: [Int]) throws -> Parameter? {
    contains(name) ? try take(name, shape: shape) : nil
  }

  /// Ends the loading. Every tensor that nobody took is an error: a network that ignores a weight is another network.
  /// Only `position_ids`, a constant that old text encoders saved, may be left.
  public func finish() throws {
    let remaining = remaining
    guard let first = remaining.first, let file = sources[first]?.file else { return }
    let names = remaining.prefix(5).joined(separator: ", ") + (remaining.count > 5 ? ", …" : "")
    throw CheckpointError(
      .unusedTensor, path: file.path,
      "has \(remaining.count) tensor\(remaining.count == 1 ? "" : "s") that no layer of the \(component) uses: \(names); "
        + "the configuration and the weights are not of one model")
  }
}
