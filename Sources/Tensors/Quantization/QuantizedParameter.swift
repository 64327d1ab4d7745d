internal import KernelInterface

/// A linear layer's weight in int8: each output has a scale of its own, and its weights are multiples of it from -127 to 127.
///
/// Its bytes are in the order in which kernels read them, the same on every processor, so that they can be mapped from a file. Like those
/// of a ``Parameter`` they are never written while `owner` lives; hence unchecked.
@safe public struct QuantizedParameter: @unchecked Sendable {
  /// Full name in the checkpoint, for messages.
  public let name: String
  /// `[out, in]`
  public let shape: [Int]
  private let bytes: UnsafeRawBufferPointer
  private let owner: any AnyObject & Sendable

  /// A weight over memory that `owner` keeps valid and unchanged, written by ``quantize(_:into:)``; 64-byte aligned.
  public init(name: String, shape: [Int], bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
    precondition(Self.canHold(shape), "\(name): no int8 layer has the shape \(shape)")
    precondition(bytes.count == Self.byteCount(shape), "\(name): \(bytes.count) bytes are no int8 layer of \(shape)")
    self.name = name
    self.shape = shape
    unsafe self.bytes = bytes
    self.owner = owner
  }

  /// Whether a layer of this shape can be int8: `[out, in]`, `out` a multiple of 32, which fills registers also when half of them are
  /// gates, and `in` short enough that no sum of products exceeds 32 bits.
  public static func canHold(_ shape: [Int]) -> Bool {
    shape.count == 2 && shape[0] > 0 && shape[0].isMultiple(of: 32) && (1...Int8Layout.longestDepth).contains(shape[1])
  }

  /// Bytes of a layer.
  public static func byteCount(_ shape: [Int]) -> Int { Int8Layout.byteCount(columns: shape[0], depth: shape[1]) }

  /// Calls `body` with the bytes, which are valid within it.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    defer { withExtendedLifetime(owner) {} }
    return try unsafe body(bytes)
  }

  /// Rounds a weight: per output, `scale = max |w| / 127` and `round(w / scale)`, halves to even.
  ///
  /// An output with a weight that is not finite gets the scale NaN, and so do its results.
  ///
  /// - Parameter target: ``byteCount(_:)`` bytes.
  public static func quantize(_ weight: Parameter, into target: UnsafeMutableRawBufferPointer) {
    precondition(canHold(weight.shape), "\(weight.name): \(weight.shape) cannot be int8")
    precondition(target.count == byteCount(weight.shape), "\(weight.name): \(target.count) bytes are not enough")
    let (columns, depth) = (weight.shape[0], weight.shape[1])
    unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
    guard let base = target.baseAddress else { return }
    let values = unsafe base.assumingMemoryBound(to: Int8.self)
    let scales = unsafe (base + Int8Layout.valueBytes(columns: columns, depth: depth))
      .assumingMemoryBound(to: Float.self)
    let sums = unsafe UnsafeMutableRawPointer(scales + columns).assumingMemoryBound(to: Int32.self)
    let row = UnsafeMutableBufferPointer<Float>.allocate(capacity: depth)
    defer { unsafe row.deallocate() }
    guard let elements = row.baseAddress else { return }
    for column in 0..<columns {
      unsafe expand(weight, from: column * depth, count: depth, into: elements)
      unsafe scales[column] = quantizeRow(elements, depth, into: values, column: column, sum: &sums[column])
    }
  }

  /// Rounds the weights of one output and returns their scale.
  private static func quantizeRow(
    _ elements: UnsafeMutablePointer<Float>, _ depth: Int, into values: UnsafeMutablePointer<Int8>, column: Int,
    sum: inout Int32
  ) -> Float {
    // Magnitudes are ordered like their bits, infinity and NaN above all.
    var largest: UInt32 = 0
    for step in 0..<depth { largest = max(largest, unsafe elements[step].bitPattern & 0x7FFF_FFFF) }
    let magnitude = Float(bitPattern: largest)
    guard magnitude.isFinite else { return .nan }
    // A smaller one has no inverse, and is zero as far as anything can tell.
    guard magnitude >= 1e-30 else { return 0 }
    let inverse = 127 / magnitude
    for step in 0..<depth {
      // At 1.5 · 2²³ a float's last bit is worth 1, so the addition rounds, and the byte is in its low bits.
      let value = unsafe Int8(truncatingIfNeeded: (elements[step] * inverse + 12_582_912).bitPattern)
      unsafe values[Int8Layout.offset(column: column, step: step, depth: depth)] = value
      sum &+= Int32(value)
    }
    return magnitude / 127
  }
}
