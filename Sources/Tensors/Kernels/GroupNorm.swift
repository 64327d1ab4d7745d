internal import KernelInterface

/// Group normalisation: every group of channels of a picture to mean 0 and variance 1, then scale, bias and,
/// fused, SiLU. One pass over memory for the statistics, one to apply them.
///
/// Channels-last puts a group's channels side by side, a few of every pixel, so sums are kept per channel, which
/// is a straight vector loop, and folded into groups at the end of each block.
extension CPUDevice {
  /// Pixels that are added up in fp32 before the sum goes on in double. Longer runs round the variance noticeably: a
  /// network whose output is the small difference of two large maps showed three times PyTorch's error.
  private static let runPixels = 32

  func groupNormKernel(_ x: Tensor, _ normalization: GroupNormalization) -> Tensor {
    let coefficients = normCoefficients(x, normalization)
    let (batch, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
    let blockPixels = max(1, sizes.norm / channels)
    let blocks = (pixels + blockPixels - 1) / blockPixels
    let result = Tensor(uninitialized: x.shape)
    let (source, target) = unsafe (x.pointer, result.mutablePointer)
    pool.run(count: batch * blocks) { index in
      let (picture, block) = index.quotientAndRemainder(dividingBy: blocks)
      for pixel in block * blockPixels..<min((block + 1) * blockPixels, pixels) {
        let offset = (picture * pixels + pixel) * channels
        unsafe coefficients.apply(source + offset, into: target + offset, picture: picture)
      }
    }
    return result
  }

  /// One pass over the map: what the normalisation will do to each channel.
  func normCoefficients(_ x: Tensor, _ normalization: GroupNormalization) -> NormCoefficients {
    normalization.validate(x.shape)
    let (batch, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
    let groups = normalization.groups
    let blockPixels = max(1, sizes.norm / channels)
    let blocks = (pixels + blockPixels - 1) / blockPixels
    let source = unsafe x.pointer
    let partial = UnsafeMutableBufferPointer<Moments>.allocate(capacity: batch * blocks * groups)
    defer { unsafe partial.deallocate() }
    unsafe partial.initialize(repeating: Moments())
    pool.run(count: batch * blocks) { index in
      let (picture, block) = index.quotientAndRemainder(dividingBy: blocks)
      let first = block * blockPixels
      unsafe blockMoments(
        source + (picture * pixels + first) * channels, pixels: min(blockPixels, pixels - first), channels: channels,
        groups: groups, into: UnsafeMutableBufferPointer(rebasing: partial[index * groups..<(index + 1) * groups]))
    }

    // Merged in the order of the blocks, so that the sums do not depend on which thread was faster.
    let statistics = (0..<batch * groups).map { index in
      let (picture, group) = index.quotientAndRemainder(dividingBy: groups)
      var moments = unsafe partial[picture * blocks * groups + group]
      for number in 1..<max(1, blocks) { unsafe moments.merge(partial[(picture * blocks + number) * groups + group]) }
      return moments
    }
    return NormCoefficients(statistics, normalization, lanes: kernels.lanes)
  }

  /// The moments of each group over some pixels.
  private func blockMoments(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, groups: Int,
    into moments: UnsafeMutableBufferPointer<Moments>
  ) {
    let groupChannels = channels / groups
    let count = pixels * groupChannels
    unsafe scratch.withBuffer(3 * channels) { sums in
      let (squares, shifts) = unsafe (sums + channels, sums + 2 * channels)
      unsafe sums.update(from: source, count: channels)
      for pixel in 1..<max(1, pixels) {
        unsafe mapLanes(channels, sums, source + pixel * channels, into: sums) { $0 + $1 }
      }
      for group in 0..<groups {
        let first = group * groupChannels
        let total = (first..<first + groupChannels).reduce(0.0) { unsafe $0 + Double(sums[$1]) }
        for channel in first..<first + groupChannels { unsafe shifts[channel] = Float(total / Double(count)) }
        unsafe moments[group] = Moments()
      }
      for first in stride(from: 0, to: pixels, by: Self.runPixels) {
        let run = min(Self.runPixels, pixels - first)
        unsafe sums.update(repeating: 0, count: 2 * channels)
        unsafe addDeviations(
          source + first * channels, pixels: run, channels: channels, from: shifts, sums: sums, squares: squares)
        for group in 0..<groups {
          let members = group * groupChannels..<(group + 1) * groupChannels
          unsafe moments[group].merge(
            Moments(
              count: run * groupChannels, shift: shifts[members.lowerBound],
              sum: members.reduce(0) { unsafe $0 + Double(sums[$1]) },
              sumOfSquares: members.reduce(0) { unsafe $0 + Double(squares[$1]) }))
        }
      }
    }
  }

  /// Adds each channel's deviations from its shift, and their squares, to `sums` and `squares`.
  private func addDeviations(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, from shifts: UnsafePointer<Float>,
    sums: UnsafeMutablePointer<Float>, squares: UnsafeMutablePointer<Float>
  ) {
    for pixel in 0..<pixels {
      let row = unsafe source + pixel * channels
      var index = 0
      while index &+ 8 <= channels {
        let deviation = unsafe row.lanes(at: index) - shifts.lanes(at: index)
        unsafe sums.store(sums.lanes(at: index) + deviation, at: index)
        unsafe squares.store(squares.lanes(at: index) + deviation * deviation, at: index)
        index &+= 8
      }
      while index < channels {
        let deviation = unsafe row[index] - shifts[index]
        unsafe sums[index] += deviation
        unsafe squares[index] += deviation * deviation
        index &+= 1
      }
    }
  }
}

/// What group normalisation does to a pixel, written out per channel: `(x - high - low) · factor + bias`.
struct NormCoefficients: Sendable {
  /// Whether SiLU follows.
  let activates: Bool
  private let channels: Int
  /// Channels, rounded up to whole registers; the rest are zeros.
  private let width: Int
  /// `[picture][high, low, factor, bias][width]`
  private let values: Tensor

  init(_ statistics: [Moments], _ normalization: GroupNormalization, lanes: Int) {
    channels = normalization.scale.count
    width = (channels + lanes - 1) / lanes * lanes
    activates = normalization.activation == .silu
    let groupChannels = channels / normalization.groups
    let (scales, biases) = (normalization.scale.array, normalization.bias.array)
    let pictures = statistics.count / normalization.groups
    var values = [Float](repeating: 0, count: pictures * 4 * width)
    for picture in 0..<pictures {
      for channel in 0..<channels {
        let moments = statistics[picture * normalization.groups + channel / groupChannels]
        let (high, low) = moments.splitMean
        let factor = moments.inverseDeviation(epsilon: normalization.epsilon) * scales[channel]
        for (row, value) in [high, low, factor, biases[channel]].enumerated() {
          values[(picture * 4 + row) * width + channel] = value
        }
      }
    }
    self.values = Tensor(table: values, shape: [pictures, 4, width])
  }

  /// The coefficients of a picture, `[high, low, factor, bias][width]`.
  func table(picture: Int) -> UnsafePointer<Float> { unsafe values.pointer + picture * 4 * width }

  @inline(__always)
  func apply(_ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, picture: Int) {
    let high = unsafe table(picture: picture)
    let (low, factor, offset) = unsafe (high + width, high + 2 * width, high + 3 * width)
    var index = 0
    while index &+ 8 <= channels {
      let centred = unsafe source.lanes(at: index) - high.lanes(at: index) - low.lanes(at: index)
      let value = unsafe centred * factor.lanes(at: index) + offset.lanes(at: index)
      unsafe target.store(activates ? value / (1 + exponential(-value)) : value, at: index)
      index &+= 8
    }
    while index < channels {
      let value = unsafe (source[index] - high[index] - low[index]) * factor[index] + offset[index]
      unsafe target[index] = activates ? value / (1 + exponential(Lanes(repeating: -value))[0]) : value
      index &+= 1
    }
  }
}
