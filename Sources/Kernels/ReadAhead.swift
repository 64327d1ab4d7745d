internal import CProcessor

/// Memory that will be read soon. It takes hundreds of cycles to arrive, and a tile's arithmetic is the time in which that costs
/// nothing: while the tile moves along its summed index, rows of the next operands are asked for along theirs.
@unsafe struct ReadAhead {
  /// A tile's share of some matrix's rows.
  @unsafe struct Rows {
    var base: UnsafeRawPointer
    /// 0 for nothing.
    var count: Int
    /// Bytes from row to row.
    var stride: Int
    /// Bytes of an element.
    var byteWidth: Int

    /// No rows.
    static var none: Rows {
      @inline(__always) get {
        unsafe Rows(base: UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped, count: 0, stride: 0, byteWidth: 0)
      }
    }

    @inline(__always)
    fileprivate func touch(_ step: Int) {
      var address = unsafe base + step &* byteWidth
      var row = 0
      while unsafe row < count {
        unsafe vector_prefetch(address)
        unsafe address += stride
        row &+= 1
      }
    }

    @inline(__always)
    fileprivate mutating func advance() { unsafe base += count &* stride }
  }

  /// Steps of the summed index between two requests: a cache line of floats.
  @inline(__always) static var interval: Int { 16 }

  /// Weights of the next column panels; if the layer is gated, of the values.
  var weights: Rows = unsafe .none
  /// Those of the gates.
  var gates: Rows = unsafe .none
  /// The next row panel.
  var inputs: Rows = unsafe .none

  /// No requests.
  static var nothing: ReadAhead {
    @inline(__always) get { unsafe ReadAhead() }
  }

  /// Asks for the lines at element `step` of every row.
  @inline(__always)
  func touch(_ step: Int) {
    unsafe weights.touch(step)
    unsafe gates.touch(step)
    unsafe inputs.touch(step)
  }

  /// Goes on to the next tile's shares.
  @inline(__always)
  mutating func advance() {
    unsafe weights.advance()
    unsafe gates.advance()
    unsafe inputs.advance()
  }
}
