internal import CProcessor
internal import KernelInterface

/// Frequencies to pairs of 16-bit integers.
///
/// What is rounded together is what is added up together: a stretch of channels of one tile, or of one output, at one frequency.
/// Its scale comes from its Euclidean norm and not from its largest number: the norm is what bounds sums of products (Cauchy), it
/// leaves sixteen times as much for each number as the largest one would, and how fine the steps are does not
/// depend on how the numbers spread.
extension VectorKernels {
  /// The norm of the integers before rounding, which adds at most half of the root of their number: together less than 2¹⁵.
  private static var norm: Float { 32_700 }
  /// Of what is shorter, which has no useful inverse and is zero as far as anything can tell. (Not a number stays what it is.)
  private static var smallestSquare: Float { 1e-30 }

  /// Rounds a stretch of input channels of some tiles.
  ///
  /// - Parameters:
  ///   - source: as ``WinogradLayout/stagingStride(columns:)`` says, `tiles` a row; registers beyond the channels are not read, lanes beyond them are zero.
  ///   - channels: of this stretch.
  @inline(never)
  static func roundInput(
    _ source: UnsafePointer<Float>, part: Int, channels: Int, tiles: Int, _ layout: WinogradLayout,
    into frequencies: UnsafeMutablePointer<Float>, firstRow: Int
  ) {
    let lanes = Vector.scalarCount
    let stride = layout.stagingStride(columns: tiles)
    for frequency in 0..<WinogradLayout.frequencies {
      let slot = part &* WinogradLayout.frequencies &+ frequency
      let scales = unsafe frequencies + (layout.scaleOffset(slot: slot) &+ firstRow)
      var target = unsafe frequencies + (layout.offset(slot: slot) &+ firstRow &* layout.rowStride)
      for tile in 0..<tiles {
        let row = unsafe source + (frequency &* stride.frequency &+ tile &* stride.tile)
        var (even, odd) = (Vector.zero, Vector.zero)
        var channel = 0
        while channel < channels {
          let x = unsafe row.vector(at: channel)
          even = vector_multiply_add(x, x, even)
          if channel &+ lanes < channels {
            let y = unsafe row.vector(at: channel &+ lanes)
            odd = vector_multiply_add(y, y, odd)
          }
          channel &+= 2 &* lanes
        }
        let square = vector_sum(even + odd)
        let length = (smallestSquare > square ? smallestSquare : square).squareRoot()
        unsafe scales[tile] = length * (1 / norm)
        let inverse = Vector(repeating: norm / length)
        channel = 0
        while channel < channels {
          let second = unsafe channel &+ lanes < channels ? row.vector(at: channel &+ lanes) : .zero
          unsafe target.store(pairs(row.vector(at: channel), second, times: inverse), at: channel / 2)
          channel &+= 2 &* lanes
        }
        unsafe target += layout.rowStride
      }
    }
  }

  /// Rounds a stretch of input channels of a register of outputs.
  ///
  /// - Parameters:
  ///   - source: `[frequency][channel][lane]`, frequencies `stride` apart.
  ///   - target: of the first frequency; its words are `PanelShape.width` apart, frequencies `targetStride`.
  ///   - scales: of the first frequency; those of the next are `PanelShape.width` further.
  @inline(never)
  static func roundWeights(
    _ source: UnsafePointer<Float>, stride: Int, channels: Int, into target: UnsafeMutablePointer<Float>,
    targetStride: Int, scales: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    for frequency in 0..<WinogradLayout.frequencies {
      let rows = unsafe source + frequency &* stride
      var (even, odd) = (Vector.zero, Vector.zero)
      var channel = 0
      while channel < channels {
        let x = unsafe rows.vector(at: channel &* lanes)
        even = vector_multiply_add(x, x, even)
        if channel &+ 1 < channels {
          let y = unsafe rows.vector(at: (channel &+ 1) &* lanes)
          odd = vector_multiply_add(y, y, odd)
        }
        channel &+= 2
      }
      let length = vector_root(vector_larger(even + odd, Vector(repeating: smallestSquare)))
      unsafe scales.store(length * (1 / norm), at: frequency &* PanelShape.width)
      let inverse = Vector(repeating: norm) / length
      var words = unsafe target + frequency &* targetStride
      var run = 0
      while run < channels {
        for lane in 0..<lanes {
          let (first, second) = (run &+ lane, run &+ lane &+ lanes)
          let x = unsafe first < channels ? rows.vector(at: first &* lanes) : .zero
          let y = unsafe second < channels ? rows.vector(at: second &* lanes) : .zero
          unsafe words.store(pairs(x, y, times: inverse), at: 0)
          unsafe words += PanelShape.width
        }
        run &+= 2 &* lanes
      }
    }
  }

  /// Two registers, multiplied, as integers, one of each to a word.
  @inline(__always)
  private static func pairs(_ x: Vector, _ y: Vector, times factor: Vector) -> Vector {
    // At 1.5 · 2²³ a float's last bit is worth 1, so the addition rounds, and the integer is in its low bits.
    let shift = Vector(repeating: 12_582_912)
    return vector_from_bits(
      vector_pack_low_halves(
        vector_bits(vector_multiply_add(x, factor, shift)), vector_bits(vector_multiply_add(y, factor, shift))))
  }
}
