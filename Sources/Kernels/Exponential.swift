internal import CProcessor

/// `eˣ`, to about one unit in the last place; 0 and ∞ beyond the range of fp32, NaN for NaN.
///
/// `x = n · ln 2 + r` with `|r| ≤ ln 2 / 2`, then `eˣ = 2ⁿ · eʳ`. The Taylor series of `eʳ` to the seventh power
/// is off by at most 6e-9 relative, a tenth of fp32's half unit. ln 2 is subtracted in two parts, the first short
/// enough that its product with n is exact.
@inline(__always)
func exponential(_ x: Vector) -> Vector {
  // Beyond these the result is 0 or ∞ anyway; comparisons with NaN are false, so NaN passes through.
  let x = vector_larger(vector_smaller(x, Vector(repeating: 90)), Vector(repeating: -105))
  // Adding 1.5 · 2²³ leaves the rounded integer in the low bits of the sum: rounding without a call.
  let magic = Vector(repeating: 12_582_912)
  let shifted = vector_multiply_add(x, Vector(repeating: 1.442_695_04), magic)
  let n = shifted - magic
  let r = vector_multiply_add(
    n, Vector(repeating: -1.428_606_765e-6), vector_multiply_add(n, Vector(repeating: -0.693_145_751_953_125), x))
  var series = Vector(repeating: 1 / 5040)
  series = vector_multiply_add(series, r, Vector(repeating: 1 / 720))
  series = vector_multiply_add(series, r, Vector(repeating: 1 / 120))
  series = vector_multiply_add(series, r, Vector(repeating: 1 / 24))
  series = vector_multiply_add(series, r, Vector(repeating: 1 / 6))
  series = vector_multiply_add(series, r, Vector(repeating: 0.5))
  series = vector_multiply_add(series, r * r, r)
  // 2ⁿ in two factors: for n = 128 and below -126 one factor would not be a normal number.
  let exponent = unsafe unsafeBitCast(shifted, to: int_vector.self) &- 0x4B40_0000
  let half = exponent &>> 1
  return (series + 1) * powerOfTwo(half) * powerOfTwo(exponent &- half)
}

/// `2ⁿ` for n in -126...127, by writing the exponent.
@inline(__always)
private func powerOfTwo(_ n: int_vector) -> Vector {
  unsafe unsafeBitCast((n &+ 127) &<< 23, to: Vector.self)
}
