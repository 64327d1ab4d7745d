internal import KernelInterface

/// Group normalisation: every group of channels of a picture to mean 0 and variance 1, then scale, bias and,
/// fused, SiLU. One pass over memory for the statistics, one to apply them.
///
/// Channels-last puts a group's channels side by side, a few of every pixel, so sums are kept per channel, which
/// is a straight vector loop, and folded into groups at the end of each block.
extension CPUDevice {
  func groupNormKernel(_ x: Tensor, _ normalization: GroupNormalization) -> Tensor {
    let coefficients = normCoefficients(x, normalization)
    let blocks = PixelBlocks(x.shape, sizes)
    let result = Tensor(uninitialized: x.shape)
    let (source, target) = unsafe (x.pointer, result.mutablePointer)
    pool.run(count: blocks.count) { index in
      let block = blocks.block(index)
      unsafe kernels.normalize(
        source + block.offset, pixels: block.pixels, channels: x.shape[3],
        table: coefficients.table(picture: block.picture), activates: coefficients.activates,
        into: target + block.offset)
    }
    return result
  }

  /// What the normalisation will do to each channel: by one pass over the map, unless its moments are known.
  func normCoefficients(_ x: Tensor, _ normalization: GroupNormalization) -> NormCoefficients {
    normalization.validate(x.shape)
    let groups = normalization.groups
    if let moments = x.moments {
      return NormCoefficients(moments.grouped(by: x.shape[3] / groups), normalization, lanes: kernels.lanes)
    }
    let blocks = PixelBlocks(x.shape, sizes)
    let source = unsafe x.pointer
    let partial = UnsafeMutableBufferPointer<Moments>.allocate(capacity: blocks.count * groups)
    defer { unsafe partial.deallocate() }
    unsafe partial.initialize(repeating: Moments())
    pool.run(count: blocks.count) { index in
      let block = blocks.block(index)
      unsafe blockMoments(
        source + block.offset, pixels: block.pixels, channels: x.shape[3], groups: groups,
        into: UnsafeMutableBufferPointer(rebasing: partial[index * groups..<(index + 1) * groups]))
    }

    // Merged in the order of the blocks, so that the sums do not depend on which thread was faster.
    let statistics = (0..<x.shape[0] * groups).map { index in
      let (picture, group) = index.quotientAndRemainder(dividingBy: groups)
      var moments = unsafe partial[picture * blocks.perPicture * groups + group]
      for number in 1..<max(1, blocks.perPicture) {
        unsafe moments.merge(partial[(picture * blocks.perPicture + number) * groups + group])
      }
      return moments
    }
    return NormCoefficients(statistics, normalization, lanes: kernels.lanes)
  }

  /// The moments of each group over some pixels, few enough to stay in the cache: one pass for a mean near enough, one for the
  /// deviations from it.
  private func blockMoments(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, groups: Int,
    into moments: UnsafeMutableBufferPointer<Moments>
  ) {
    let groupChannels = channels / groups
    let count = pixels * groupChannels
    let width = (channels + kernels.lanes - 1) / kernels.lanes * kernels.lanes
    unsafe scratch.withBuffer(6 * width) { buffer in
      let shifts = unsafe buffer + width
      unsafe (shifts + width).withMemoryRebound(to: Double.self, capacity: 2 * width) { sums in
        let squares = unsafe sums + width
        unsafe kernels.sumChannels(source, pixels: pixels, channels: channels, into: buffer)
        for group in 0..<groups {
          let members = group * groupChannels..<(group + 1) * groupChannels
          let total = members.reduce(0.0) { unsafe $0 + Double(buffer[$1]) }
          for channel in members { unsafe shifts[channel] = Float(total / Double(count)) }
        }
        unsafe kernels.sumDeviations(
          source, pixels: pixels, channels: channels, from: shifts, sums: sums, squares: squares)
        for group in 0..<groups {
          let members = group * groupChannels..<(group + 1) * groupChannels
          unsafe moments[group] = Moments(
            count: count, shift: shifts[members.lowerBound], sum: members.reduce(0) { unsafe $0 + sums[$1] },
            sumOfSquares: members.reduce(0) { unsafe $0 + squares[$1] })
        }
      }
    }
  }
}

/// How the pixels of a batch of maps are cut into blocks that stay in the cache.
private struct PixelBlocks {
  /// Blocks of one picture.
  let perPicture: Int
  /// Blocks of all pictures.
  let count: Int
  private let pixels: Int, channels: Int, blockPixels: Int

  /// - Parameter shape: `[N, H, W, C]`
  init(_ shape: [Int], _ sizes: BlockSizes) {
    (pixels, channels) = (shape[1] * shape[2], shape[3])
    blockPixels = max(1, sizes.norm / channels)
    perPicture = (pixels + blockPixels - 1) / blockPixels
    count = shape[0] * perPicture
  }

  /// A block's picture, its first element in the batch, and how many pixels it has.
  func block(_ index: Int) -> (picture: Int, offset: Int, pixels: Int) {
    let (picture, number) = index.quotientAndRemainder(dividingBy: perPicture)
    let first = number * blockPixels
    return (picture, (picture * pixels + first) * channels, min(blockPixels, pixels - first))
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
}
