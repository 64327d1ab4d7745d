internal import CProcessor

/// `x · sigmoid(x)`
@inline(__always)
func sigmoidLinearUnit(_ x: Vector) -> Vector { x / (1 + exponential(-x)) }

/// `x · sigmoid(1.702 x)`
@inline(__always)
func quickGaussianErrorLinearUnit(_ x: Vector) -> Vector { x / (1 + exponential(x * -1.702)) }

/// `x · Φ(x)`, the exact (erf) GELU.
///
/// With `z = |x| / √2`, `x · Φ(x) = max(x, 0) - |x| · erfc(z) / 2` for either sign, which keeps the relative accuracy of the
/// small negative side that `1 + erf` would cancel away.
@inline(__always)
func gaussianErrorLinearUnit(_ x: Vector) -> Vector {
  let magnitude = vector_larger(x, -x)
  let positive = vector_larger(x, .zero)
  // At 16 the second term is 0 in fp32; the bound keeps ∞ · 0 out.
  let bounded = vector_smaller(magnitude, Vector(repeating: 16))
  return positive - bounded * 0.5 * complementaryErrorFunction(bounded * 0.707_106_77)
}

/// `erfc(z)` for z ≥ 0, as `e^(-z²) · P(t)` with `t = 1 / (1 + 0.3 z)`.
///
/// P has degree 9 and no constant term, since `e^(z²) erfc(z)` falls to 0 like t. Its coefficients are a weighted
/// least-squares fit to `erfcx` over 0...12, reweighted until the largest relative error, 2.2e-8, was level: below
/// the rounding of fp32.
@inline(__always)
private func complementaryErrorFunction(_ z: Vector) -> Vector {
  let t = 1 / vector_multiply_add(z, Vector(repeating: 0.3), Vector(repeating: 1))
  var series = Vector(repeating: -0.129_252_517)
  series = vector_multiply_add(series, t, Vector(repeating: 0.484_298_559))
  series = vector_multiply_add(series, t, Vector(repeating: -0.509_766_325))
  series = vector_multiply_add(series, t, Vector(repeating: 0.544_960_568))
  series = vector_multiply_add(series, t, Vector(repeating: -0.092_821_999))
  series = vector_multiply_add(series, t, Vector(repeating: 0.214_179_844))
  series = vector_multiply_add(series, t, Vector(repeating: 0.148_521_625))
  series = vector_multiply_add(series, t, Vector(repeating: 0.170_690_881))
  series = vector_multiply_add(series, t, Vector(repeating: 0.169_189_357))
  return series * t * exponential(-(z * z))
}
