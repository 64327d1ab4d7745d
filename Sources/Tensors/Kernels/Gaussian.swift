/// `x · Φ(x)`, the exact (erf) GELU.
///
/// With `z = |x| / √2`, `x · Φ(x) = max(x, 0) - |x| · erfc(z) / 2` for either sign, which keeps the relative
/// accuracy of the small negative side that `1 + erf` would cancel away.
@inline(__always)
func gaussianErrorLinearUnit(_ x: Lanes) -> Lanes {
  let magnitude = x.replacing(with: -x, where: x .< 0)
  let positive = x.replacing(with: Lanes.zero, where: x .< 0)
  // At 16 the second term is 0 in fp32; the bound keeps ∞ · 0 out.
  let bounded = magnitude.smaller(Lanes(repeating: 16))
  return positive - bounded * 0.5 * complementaryErrorFunction(bounded * 0.707_106_77)
}

/// `erfc(z)` for z ≥ 0, as `e^(-z²) · P(t)` with `t = 1 / (1 + 0.3 z)`.
///
/// P has degree 9 and no constant term, since `e^(z²) erfc(z)` falls to 0 like t. Its coefficients are a weighted
/// least-squares fit to `erfcx` over 0...12, reweighted until the largest relative error, 2.2e-8, was level:
/// below the rounding of fp32.
@inline(__always)
func complementaryErrorFunction(_ z: Lanes) -> Lanes {
  let t = 1 / (1 + z * 0.3)
  var series = Lanes(repeating: -0.129_252_517)
  series = series * t + 0.484_298_559
  series = series * t - 0.509_766_325
  series = series * t + 0.544_960_568
  series = series * t - 0.092_821_999
  series = series * t + 0.214_179_844
  series = series * t + 0.148_521_625
  series = series * t + 0.170_690_881
  series = series * t + 0.169_189_357
  return series * t * exponential(-(z * z))
}
