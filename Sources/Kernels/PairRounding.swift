internal import CProcessor
internal import KernelInterface

/// Numbers to pairs of 16-bit integers.
///
/// What is rounded together is what is added up together: a stretch of a row, or of a column, of a product.
/// Its scale comes from its Euclidean norm and not from its largest number: the norm is what bounds sums of products (Cauchy), it
/// leaves sixteen times as much for each number as the largest one would, and how fine the steps are does not
/// depend on how the numbers spread.
enum PairRounding {
  /// The norm of the integers before rounding, which adds at most half of the root of their number: together less than 2¹⁵.
  fileprivate static var norm: Float { 32_700 }
  /// Of what is shorter, which has no useful inverse and is zero as far as anything can tell. (Not a number stays what it is.)
  fileprivate static var smallestSquare: Float { 1e-30 }

  /// The longest stretch: what a row panel of pairs takes.
  @inline(__always) static var stretch: Int { 2 &* PanelShape.pairs }

  /// How many stretches make up `count` steps of the summed index.
  @inline(__always)
  static func stretches(_ count: Int) -> Int { (count &+ stretch &- 1) / stretch }

  /// The steps of one of them.
  @inline(__always)
  static func steps(_ index: Int, of count: Int) -> Range<Int> {
    index &* stretch..<min((index &+ 1) &* stretch, count)
  }

  /// Words that `count` steps take, from the beginning of a stretch: whole registers of pairs.
  @inline(__always)
  static func words(_ count: Int) -> Int {
    (count &+ 2 &* Vector.scalarCount &- 1) / (2 &* Vector.scalarCount) &* Vector.scalarCount
  }

  /// Rounds a stretch of a row.
  ///
  /// - Returns: what a step of its integers is worth.
  @inline(__always)
  static func roundRow(
    _ row: UnsafePointer<Float>, count: Int, into target: UnsafeMutablePointer<Float>
  ) -> Float {
    let lanes = Vector.scalarCount
    var (even, odd) = (Vector.zero, Vector.zero)
    var step = 0
    while step < count {
      let x = unsafe (row + step).prefix(count &- step)
      even = vector_multiply_add(x, x, even)
      if step &+ lanes < count {
        let y = unsafe (row + (step &+ lanes)).prefix(count &- step &- lanes)
        odd = vector_multiply_add(y, y, odd)
      }
      step &+= 2 &* lanes
    }
    let square = vector_sum(even + odd)
    let length = (smallestSquare > square ? smallestSquare : square).squareRoot()
    let inverse = Vector(repeating: norm / length)
    step = 0
    while step < count {
      let x = unsafe (row + step).prefix(count &- step)
      let y = unsafe step &+ lanes < count ? (row + (step &+ lanes)).prefix(count &- step &- lanes) : .zero
      unsafe target.store(pairs(x, y, times: inverse), at: step / 2)
      step &+= 2 &* lanes
    }
    return length * (1 / norm)
  }

  /// Rounds a stretch of a register of columns.
  ///
  /// - Parameters:
  ///   - rows: `[step][lane]`.
  ///   - words: `PanelShape.width` apart.
  ///   - scales: one a column.
  @inline(__always)
  static func roundColumns(
    _ rows: UnsafePointer<Float>, count: Int, into words: UnsafeMutablePointer<Float>,
    scales: UnsafeMutablePointer<Float>
  ) {
    let lanes = Vector.scalarCount
    var (even, odd) = (Vector.zero, Vector.zero)
    var step = 0
    while step < count {
      let x = unsafe rows.vector(at: step &* lanes)
      even = vector_multiply_add(x, x, even)
      if step &+ 1 < count {
        let y = unsafe rows.vector(at: (step &+ 1) &* lanes)
        odd = vector_multiply_add(y, y, odd)
      }
      step &+= 2
    }
    let length = vector_root(vector_larger(even + odd, Vector(repeating: smallestSquare)))
    unsafe scales.store(length * (1 / norm), at: 0)
    let inverse = Vector(repeating: norm) / length
    var words = unsafe words
    var run = 0
    while run < count {
      for lane in 0..<lanes {
        let (first, second) = (run &+ lane, run &+ lane &+ lanes)
        let x = unsafe first < count ? rows.vector(at: first &* lanes) : .zero
        let y = unsafe second < count ? rows.vector(at: second &* lanes) : .zero
        unsafe words.store(pairs(x, y, times: inverse), at: 0)
        unsafe words += PanelShape.width
      }
      run &+= 2 &* lanes
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

extension UnsafePointer<Float> {
  /// Words that hold pairs.
  @inline(__always)
  var pairWords: UnsafePointer<Int32> { unsafe UnsafeRawPointer(self).assumingMemoryBound(to: Int32.self) }
}

/// Frequencies of Winograd's method.
extension VectorKernels {
  /// Rounds a stretch of input channels of some tiles.
  ///
  /// - Parameters:
  ///   - source: as ``WinogradLayout/stagingStride(columns:)`` says, `tiles` a row; lanes beyond the channels are not read.
  ///   - channels: of this stretch.
  @inline(never)
  static func roundInput(
    _ source: UnsafePointer<Float>, part: Int, channels: Int, tiles: Int, _ layout: WinogradLayout,
    into frequencies: UnsafeMutablePointer<Float>, firstRow: Int
  ) {
    let stride = layout.stagingStride(columns: tiles)
    for frequency in 0..<WinogradLayout.frequencies {
      let slot = part &* WinogradLayout.frequencies &+ frequency
      let scales = unsafe frequencies + (layout.scaleOffset(slot: slot) &+ firstRow)
      var target = unsafe frequencies + (layout.offset(slot: slot) &+ firstRow &* layout.rowStride)
      for tile in 0..<tiles {
        let row = unsafe source + (frequency &* stride.frequency &+ tile &* stride.tile)
        unsafe scales[tile] = PairRounding.roundRow(row, count: channels, into: target)
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
    for frequency in 0..<WinogradLayout.frequencies {
      unsafe PairRounding.roundColumns(
        source + frequency &* stride, count: channels, into: target + frequency &* targetStride,
        scales: scales + frequency &* PanelShape.width)
    }
  }
}
