/// `eˣ`, to about one unit in the last place; 0 and ∞ beyond the range of fp32, NaN for NaN.
///
/// `x = n · ln 2 + r` with `|r| ≤ ln 2 / 2`, then `eˣ = 2ⁿ · eʳ`. The Taylor series of `eʳ` to the seventh power
/// is off by at most 6e-9 relative, a tenth of fp32's half unit. ln 2 is subtracted in two parts, the first short
/// enough that its product with n is exact.
@inline(__always)
func exponential(_ x: Lanes) -> Lanes {
  // Beyond these the result is 0 or ∞ anyway; comparisons with NaN are false, so NaN passes through.
  let x = x.smaller(Lanes(repeating: 90)).larger(Lanes(repeating: -105))
  // Adding 1.5 · 2²³ leaves the rounded integer in the low bits of the sum: rounding without a call.
  let magic = Lanes(repeating: 12_582_912)
  let shifted = x * 1.442_695_04 + magic
  let n = shifted - magic
  let r = (x - n * 0.693_145_751_953_125) - n * 1.428_606_765e-6
  var series = Lanes(repeating: 1 / 5040)
  series = series * r + 1 / 720
  series = series * r + 1 / 120
  series = series * r + 1 / 24
  series = series * r + 1 / 6
  series = series * r + 0.5
  series = series * (r * r) + r
  // 2ⁿ in two factors: for n = 128 and below -126 one factor would not be a normal number.
  let exponent = unsafe unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- 0x4B40_0000
  let half = exponent &>> 1
  return (series + 1) * powerOfTwo(half) * powerOfTwo(exponent &- half)
}

/// `2ⁿ` for n in -126...127, by writing the exponent.
@inline(__always)
private func powerOfTwo(_ n: SIMD8<Int32>) -> Lanes {
  unsafe unsafeBitCast((n &+ 127) &<< 23, to: Lanes.self)
}

/// `1 / (1 + e⁻ˣ)`
@inline(__always)
func sigmoid(_ x: Lanes) -> Lanes { 1 / (1 + exponential(-x)) }
