internal import CProcessor
internal import KernelInterface

/// Layer normalisation: three passes over a row, which stays in the first-level cache.
extension VectorKernels {
  package static func layerNorm(
    _ source: UnsafePointer<Float>, rows: Int, channels: Int, epsilon: Float, scale: UnsafePointer<Float>,
    bias: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<rows {
      let (from, to) = unsafe (source + row &* channels, target + row &* channels)
      let shift = unsafe sum(from, channels) / Float(channels)
      let (sum, squares) = unsafe sumDeviations(from, channels, from: shift)
      let count = Double(channels)
      let mean = Double(shift) + sum / count
      let inverse = Float(1 / ((squares - sum * sum / count) / count + Double(epsilon)).squareRoot())
      // The mean as two numbers: rounded to one, it would shift everything by its rounding.
      let high = Float(mean)
      let low = Float(mean - Double(high))
      var channel = 0
      while channel < channels {
        let count = min(Vector.scalarCount, channels &- channel)
        let centred = unsafe ((from + channel).prefix(count) - high) - low
        let result = unsafe vector_multiply_add(
          centred * inverse, (scale + channel).prefix(count), (bias + channel).prefix(count))
        unsafe (to + channel).storePrefix(result, count)
        channel &+= Vector.scalarCount
      }
    }
  }

  @inline(__always)
  private static func sum(_ row: UnsafePointer<Float>, _ channels: Int) -> Float {
    var sums = Vector.zero
    var channel = 0
    while channel < channels {
      unsafe sums += (row + channel).prefix(min(Vector.scalarCount, channels &- channel))
      channel &+= Vector.scalarCount
    }
    return vector_sum(sums)
  }

  /// The deviations from `shift` and their squares: any shift near the mean will do, the caller corrects what it is off by.
  @inline(__always)
  private static func sumDeviations(
    _ row: UnsafePointer<Float>, _ channels: Int, from shift: Float
  ) -> (sum: Double, squares: Double) {
    var (sums, squares) = (Vector.zero, Vector.zero)
    var channel = 0
    while channel &+ Vector.scalarCount <= channels {
      let deviation = unsafe row.vector(at: channel) - shift
      sums += deviation
      squares = vector_multiply_add(deviation, deviation, squares)
      channel &+= Vector.scalarCount
    }
    var (sum, square) = (Double(vector_sum(sums)), Double(vector_sum(squares)))
    while channel < channels {
      let deviation = unsafe row[channel] - shift
      sum += Double(deviation)
      square += Double(deviation * deviation)
      channel &+= 1
    }
    return (sum, square)
  }
}
