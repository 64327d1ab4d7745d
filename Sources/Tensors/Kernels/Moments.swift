/// Mean and variance that stay exact far from zero.
///
/// `E[x²] - E[x]²` in fp32 loses everything when the mean is a thousand deviations away, and adding up a feature
/// map of 33 million elements in fp32 loses the rest. So: blocks small enough for the cache are summed in fp32
/// about their own mean, and blocks are merged in double (Chan, Golub and LeVeque, 1979).
struct Moments: Sendable {
  var count = 0.0
  var mean = 0.0
  /// Sum of squared deviations from `mean`.
  var squares = 0.0

  init() {}

  /// From sums of `x - shift` and of its square over `count` elements. Any shift near the mean will do; what it
  /// is off by is corrected here.
  init(count: Int, shift: Float, sum: Double, sumOfSquares: Double) {
    self.count = Double(count)
    mean = Double(shift) + sum / self.count
    squares = sumOfSquares - sum * sum / self.count
  }

  /// The moments of both populations together.
  mutating func merge(_ other: Moments) {
    let total = count + other.count
    let distance = other.mean - mean
    mean += distance * other.count / total
    squares += other.squares + distance * distance * count * other.count / total
    count = total
  }

  /// `1 / √(variance + ε)`, the variance being that of the population.
  func inverseDeviation(epsilon: Float) -> Float {
    Float(1 / (squares / count + Double(epsilon)).squareRoot())
  }

  /// The mean as two fp32 numbers: with one alone, everything normalised would be off by the mean's rounding.
  var splitMean: (high: Float, low: Float) {
    let high = Float(mean)
    return (high, Float(mean - Double(high)))
  }
}

/// The moments of each channel of each picture of a map: what a convolution knows of its result when it has written it, so that a norm
/// behind it need not read it for that.
package struct ChannelMoments: Sendable {
  /// `[picture][channel]`
  let values: [Moments]

  /// Those of each group of `channels` channels, picture by picture.
  func grouped(by channels: Int) -> [Moments] {
    stride(from: 0, to: values.count, by: channels).map { first in
      var group = values[first]
      for moments in values[first..<first + channels].dropFirst() { group.merge(moments) }
      return group
    }
  }
}
