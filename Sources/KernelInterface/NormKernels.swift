/// The parts of normalisation that depend on the instruction set.
package protocol NormKernels: Sendable {
  /// Adds up some pixels, channel by channel: `sums[c] = Σ x[pixel, c]`, in fp32: good for a mean that is near enough.
  static func sumChannels(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, into sums: UnsafeMutablePointer<Float>)

  /// Adds up what each channel's elements differ by from its shift, and the squares of that. Runs of some pixels are added in
  /// fp32 and the runs in double: longer sums in fp32 round the variance noticeably.
  ///
  /// - Parameters:
  ///   - sums: `[channels]`, rounded up to whole registers, like `squares`.
  static func sumDeviations(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, from shifts: UnsafePointer<Float>,
    sums: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>)

  /// Normalises some pixels: `(x - high - low) · factor + bias`, then SiLU if it `activates`.
  ///
  /// - Parameter table: `[high, low, factor, bias][channels, rounded up to registers]`
  static func normalize(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, table: UnsafePointer<Float>, activates: Bool,
    into target: UnsafeMutablePointer<Float>)

  /// Normalises each of some rows over its channels, with its own mean and biased variance, then `· scale + bias`.
  static func layerNorm(
    _ source: UnsafePointer<Float>, rows: Int, channels: Int, epsilon: Float, scale: UnsafePointer<Float>,
    bias: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>)
}
