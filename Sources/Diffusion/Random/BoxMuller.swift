/// The Box–Muller transform of sixteen uniforms, rounded as PyTorch's vectorised CPU kernel rounds it.
///
/// PyTorch uses the single-precision logarithm and sine of the Cephes library (S. Moshier) and its compiler fuses
/// multiplications with additions. Both are visible in the last bit, and a logarithm in double precision is off by
/// as much as 2e-6 after the square root, so the same polynomials are evaluated here with the same fusions.
enum BoxMuller {
  /// Uniforms consumed, and normals made, by one transform.
  static let block = 16

  /// Replaces the uniforms `values[start ..< start + 16]` by normals: the first eight give the radii, the last
  /// eight the angles; the cosines land in the first half, the sines in the second.
  static func transform(_ values: inout [Float], at start: Int) {
    for i in start..<start + block / 2 {
      // 1 - u lies in (0, 1]: the logarithm of zero never happens.
      let radius = (-2 * logarithm(1 - values[i])).squareRoot()
      let (sine, cosine) = sineAndCosine(Float(2 * Double.pi) * values[i + block / 2])
      values[i] = radius * cosine
      values[i + block / 2] = radius * sine
    }
  }

  /// `a · b + c`, rounded once.
  private static func fused(_ a: Float, _ b: Float, _ c: Float) -> Float { c.addingProduct(a, b) }

  /// Natural logarithm of a positive normal number.
  static func logarithm(_ value: Float) -> Float {
    // value = x · 2^exponent with x in [√½, √2), then a polynomial in x - 1.
    var exponent = Float(Int(value.exponentBitPattern) - 126)
    var x = Float(sign: .plus, exponentBitPattern: 126, significandBitPattern: value.significandBitPattern)
    if x < 0.707106781186547524 {
      exponent -= 1
      x = (x - 1) + x
    } else {
      x -= 1
    }
    let z = x * x
    var y: Float = 7.0376836292e-2
    y = fused(y, x, -1.1514610310e-1)
    y = fused(y, x, 1.1676998740e-1)
    y = fused(y, x, -1.2420140846e-1)
    y = fused(y, x, 1.4249322787e-1)
    y = fused(y, x, -1.6668057665e-1)
    y = fused(y, x, 2.0000714765e-1)
    y = fused(y, x, -2.4999993993e-1)
    y = fused(y, x, 3.3333331174e-1)
    // ln 2 in two parts, the small one first.
    y = fused(y * x, z, exponent * -2.12194440e-4)
    y = fused(-0.5, z, y)
    return fused(exponent, 0.693359375, x + y)
  }

  /// Sine and cosine of an angle in [0, 2π].
  static func sineAndCosine(_ angle: Float) -> (sine: Float, cosine: Float) {
    // The nearest even multiple of π/4 is taken off in three parts, so that nothing is lost near its zeros.
    let octant = (Int32(angle * 1.27323954473516) + 1) & ~1
    let multiple = Float(octant)
    var x = fused(multiple, -0.78515625, angle)
    x = fused(multiple, -2.4187564849853515625e-4, x)
    x = fused(multiple, -3.77489497744594108e-8, x)

    let z = x * x
    var cosine = fused(2.443315711809948e-5, z, -1.388731625493765e-3)
    cosine = fused(cosine, z, 4.166664568298827e-2)
    cosine = fused(cosine * z, z, -0.5 * z) + 1

    var sine = fused(-1.9515295891e-4, z, 8.3321608736e-3)
    sine = fused(sine, z, -1.6666654611e-1)
    sine = fused(sine * z, x, x)

    switch octant & 7 {
    case 0: return (sine, cosine)
    case 2: return (cosine, -sine)
    case 4: return (-sine, -cosine)
    default: return (-cosine, sine)
    }
  }
}
