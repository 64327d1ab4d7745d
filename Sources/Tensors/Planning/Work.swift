/// Multiply-accumulates of a run, by what does them.
public struct Work: Sendable, Equatable, Encodable {
  /// In linear layers and 1×1 convolutions that are linear layers.
  public var linear = 0
  /// In convolutions.
  public var convolution = 0
  /// In attention: queries by keys and weights by values, masked ones included.
  public var attention = 0

  /// In all.
  public var total: Int { linear + convolution + attention }

  /// None yet.
  public init() {}
}
