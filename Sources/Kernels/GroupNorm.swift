internal import CProcessor
internal import KernelInterface

/// Group normalisation of channels-last maps: a group's channels lie side by side, a few of every pixel, so everything is kept
/// per channel, and folded into groups by the caller.
extension VectorKernels {
  /// Pixels that are added up in fp32 before the sum goes on in double.
  private static var runPixels: Int { 32 }

  package static func sumChannels(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, into sums: UnsafeMutablePointer<Float>
  ) {
    // Row by row, as the map lies in memory, from which this pass fetches it; four at a time, so that sums are stored seldom.
    var pixel = 0
    while pixel < pixels {
      let row = unsafe source + pixel &* channels
      let isWhole = pixel &+ 4 <= pixels
      var channel = 0
      while channel < channels {
        let count = min(Vector.scalarCount, channels &- channel)
        var sum = unsafe pixel == 0 ? Vector.zero : UnsafePointer(sums + channel).prefix(count)
        if isWhole {
          let (second, third) = (channels &+ channel, 2 &* channels &+ channel)
          let upper = unsafe (row + channel).prefix(count) + (row + second).prefix(count)
          let lower = unsafe (row + third).prefix(count) + (row + (third &+ channels)).prefix(count)
          sum += upper + lower
        } else {
          var rest = pixel
          while rest < pixels {
            unsafe sum += (source + (rest &* channels &+ channel)).prefix(count)
            rest &+= 1
          }
        }
        unsafe (sums + channel).storePrefix(sum, count)
        channel &+= Vector.scalarCount
      }
      pixel &+= 4
    }
  }

  package static func sumDeviations(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, from shifts: UnsafePointer<Float>,
    sums: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>
  ) {
    var channel = 0
    while channel < channels {
      let count = min(Vector.scalarCount, channels &- channel)
      let shift = unsafe (shifts + channel).prefix(count)
      var lane = 0
      while lane < Vector.scalarCount {
        unsafe sums[channel &+ lane] = 0
        unsafe squares[channel &+ lane] = 0
        lane &+= 1
      }
      var pixel = 0
      while pixel < pixels {
        let end = min(pixel &+ runPixels, pixels)
        // Two sums of each kind: one would wait for itself at every pixel.
        var (even, odd, evenSquare, oddSquare) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
        while pixel &+ 2 <= end {
          let row = unsafe source + (pixel &* channels &+ channel)
          let (a, b) = unsafe (row.prefix(count) - shift, (row + channels).prefix(count) - shift)
          (even, odd) = (even + a, odd + b)
          evenSquare = vector_multiply_add(a, a, evenSquare)
          oddSquare = vector_multiply_add(b, b, oddSquare)
          pixel &+= 2
        }
        if pixel < end {
          let a = unsafe (source + (pixel &* channels &+ channel)).prefix(count) - shift
          even += a
          evenSquare = vector_multiply_add(a, a, evenSquare)
          pixel &+= 1
        }
        unsafe vector_add_to_doubles(sums + channel, even + odd)
        unsafe vector_add_to_doubles(squares + channel, evenSquare + oddSquare)
      }
      channel &+= Vector.scalarCount
    }
  }

  package static func normalize(
    _ source: UnsafePointer<Float>, pixels: Int, channels: Int, table: UnsafePointer<Float>, activates: Bool,
    into target: UnsafeMutablePointer<Float>
  ) {
    if activates {
      unsafe normalize(source, pixels, channels, table, into: target, sigmoidLinearUnit)
    } else {
      unsafe normalize(source, pixels, channels, table, into: target) { $0 }
    }
  }

  @inline(__always)
  private static func normalize(
    _ source: UnsafePointer<Float>, _ pixels: Int, _ channels: Int, _ table: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Float>, _ function: (Vector) -> Vector
  ) {
    var offset = 0
    for _ in 0..<pixels {
      var channel = 0
      while channel < channels {
        let count = min(Vector.scalarCount, channels &- channel)
        let value = unsafe (source + (offset &+ channel)).prefix(count)
        let normalization = unsafe ChannelNormalization(table, channels: channels, at: channel)
        unsafe (target + (offset &+ channel)).storePrefix(function(normalization(value)), count)
        channel &+= Vector.scalarCount
      }
      offset &+= channels
    }
  }
}

/// What group normalisation does to one register of channels.
struct ChannelNormalization {
  private let high: Vector, low: Vector, factor: Vector, bias: Vector

  /// - Parameter table: `[high, low, factor, bias][channels, rounded up to registers]`
  @inline(__always)
  init(_ table: UnsafePointer<Float>, channels: Int, at channel: Int) {
    let width = (channels &+ Vector.scalarCount &- 1) / Vector.scalarCount &* Vector.scalarCount
    unsafe (high, low) = (table.vector(at: channel), table.vector(at: width &+ channel))
    unsafe (factor, bias) = (table.vector(at: 2 &* width &+ channel), table.vector(at: 3 &* width &+ channel))
  }

  @inline(__always)
  func callAsFunction(_ x: Vector) -> Vector { vector_multiply_add((x - high) - low, factor, bias) }
}
