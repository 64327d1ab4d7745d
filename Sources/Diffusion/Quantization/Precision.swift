/// In what arithmetic a model is run.
public enum Precision: String, Sendable, CaseIterable, Codable {
  /// 32-bit floating point throughout, on weights in the type of their file.
  case fp32
  /// Linear layers in 8-bit integers, convolutions and attention in 16-bit ones where ``QuantizationRule`` says so, all else in fp32.
  case int8
}

/// How a model's layers are rounded.
public struct Quantization: Sendable {
  /// Which layers.
  public var rule: QuantizationRule
  /// Where int8 weights are kept; nil: beside the model, or where that cannot be written, in the user's cache folder.
  public var cacheFolder: String?

  /// The usual rule.
  public init(rule: QuantizationRule = .measured, cacheFolder: String? = nil) {
    self.rule = rule
    self.cacheFolder = cacheFolder
  }
}

extension Precision {
  /// How weights are rounded; nil if they are not.
  public func quantization(cacheFolder: String?) -> Quantization? {
    self == .int8 ? Quantization(cacheFolder: cacheFolder) : nil
  }
}
