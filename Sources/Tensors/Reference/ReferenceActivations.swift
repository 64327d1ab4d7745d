#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

extension ReferenceDevice {
  /// Each element in double precision, rounded once.
  public func activate(_ x: Tensor, _ activation: Activation) throws -> Tensor {
    precondition(activation != .geglu, "activate: geglu halves a dimension; it belongs to linear")
    return Tensor(x.array.map { Float(Self.apply(activation, Double($0))) }, shape: x.shape)
  }

  /// A pointwise activation in double precision.
  static func apply(_ activation: Activation, _ x: Double) -> Double {
    switch activation {
    case .none: x
    case .silu: x / (1 + exp(-x))
    case .gelu: gelu(x)
    case .quickGELU: x / (1 + exp(-1.702 * x))
    case .geglu: preconditionFailure("geglu is not pointwise")
    }
  }

  /// `x · Φ(x)`; erfc keeps its relative accuracy where Φ is tiny.
  static func gelu(_ x: Double) -> Double {
    0.5 * x * erfc(-x / 2.0.squareRoot())
  }
}
