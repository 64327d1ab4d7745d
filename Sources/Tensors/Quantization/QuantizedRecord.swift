/// How an int8 layer is kept in a file: its bytes, then a cache line that begins with a checksum of name, shape and bytes.
///
/// The checksum is there to notice damage and mixed-up layers, not forgery: whoever can write the file can as well write the
/// model.
extension QuantizedParameter {
  private static let trailer = 64

  /// Bytes of a record.
  public static func recordByteCount(_ shape: [Int]) -> Int { byteCount(shape) + trailer }

  /// Rounds a weight, see ``quantize(_:into:)``, and seals it.
  public static func record(of weight: Parameter, name: String) -> [UInt8] {
    let count = byteCount(weight.shape)
    return unsafe [UInt8](unsafeUninitializedCapacity: count + trailer) { buffer, initialized in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      let layer = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
      unsafe quantize(weight, into: layer)
      unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[count...]).initializeMemory(as: UInt8.self, repeating: 0)
      let sum = unsafe checksum(name: name, shape: weight.shape, UnsafeRawBufferPointer(layer))
      unsafe bytes.storeBytes(of: sum.littleEndian, toByteOffset: count, as: UInt64.self)
      initialized = count + trailer
    }
  }

  /// The layer of a record, in place; nil if it is not what was sealed.
  ///
  /// - Parameters:
  ///   - record: ``recordByteCount(_:)`` bytes that `owner` keeps valid and unchanged.
  ///   - isChecked: whether all of it is read to find that out.
  public init?(
    name: String, shape: [Int], record: UnsafeRawBufferPointer, isChecked: Bool, owner: any AnyObject & Sendable
  ) {
    let count = Self.byteCount(shape)
    precondition(record.count == count + Self.trailer, "\(name): \(record.count) bytes are no record of \(shape)")
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: record[..<count])
    let sealed = unsafe UInt64(littleEndian: record.loadUnaligned(fromByteOffset: count, as: UInt64.self))
    guard unsafe !isChecked || sealed == Self.checksum(name: name, shape: shape, bytes) else { return nil }
    unsafe self.init(name: name, shape: shape, bytes: bytes, owner: owner)
  }

  /// FNV-1a over 64-bit words in eight lanes, so that it runs at the speed of memory: a lane's multiplication waits for none of
  /// the others.
  private static func checksum(name: String, shape: [Int], _ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { mix(&hash, UInt64(byte)) }
    for extent in shape { mix(&hash, UInt64(extent)) }
    var lanes = SIMD8<UInt64>(repeating: hash) &+ SIMD8(0, 1, 2, 3, 4, 5, 6, 7)
    let prime = SIMD8<UInt64>(repeating: prime)
    // Values and scales fill whole cache lines.
    for offset in stride(from: 0, to: bytes.count, by: 64) {
      lanes = unsafe (lanes ^ bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)) &* prime
      // A product carries upwards only: without this the highest bits of a word would never reach another.
      lanes ^= lanes &>> 32
    }
    for lane in lanes.indices { mix(&hash, lanes[lane]) }
    return hash
  }

  private static let prime: UInt64 = 0x100_0000_01b3

  private static func mix(_ hash: inout UInt64, _ word: UInt64) {
    hash = (hash ^ word) &* prime
    hash ^= hash &>> 32
  }
}
