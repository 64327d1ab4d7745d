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

    @inline(__always)
    func touch(_ step: Int) {
      var address = unsafe base + step &* byteWidth
      var row = 0
      while unsafe row < count {
        unsafe vector_prefetch(address)
        unsafe address += stride
        row &+= 1
      }
    }

    /// Goes on to the next tile's share.
    @inline(__always)
    mutating func advance() { unsafe base += count &* stride }
  }

  /// Steps of the summed index between two requests: a cache line of floats.
  @inline(__always) static var interval: Int { 16 }

  /// No requests.
  static var nothing: ReadAhead {
    @inline(__always) get {
      let none = unsafe Rows(
        base: UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped, count: 0, stride: 0, byteWidth: 0)
      return unsafe ReadAhead(weights: none, inputs: none)
    }
  }

  /// Weights of the next column panels.
  var weights: Rows
  /// The next row panel.
  var inputs: Rows

  /// Asks for the lines at element `step` of every row.
  @inline(__always)
  func touch(_ step: Int) {
    unsafe weights.touch(step)
    unsafe inputs.touch(step)
  }
}
