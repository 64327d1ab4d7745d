/// The element type of a stored weight.
public enum DType: String, Sendable, CaseIterable {
  case float32 = "F32"
  case float16 = "F16"
  case bfloat16 = "BF16"

  /// Bytes of one element.
  public var byteWidth: Int { self == .float32 ? 4 : 2 }
}

/// A trained weight as the checkpoint stores it: its bytes stay where they are (usually a mapped file, shared
/// between the workers of a machine) and are expanded to fp32 a panel at a time where they are used.
///
/// Unchecked: the bytes are never written while `owner` lives, which this value guarantees by holding it.
@safe public struct Parameter: @unchecked Sendable {
  /// Full name in the checkpoint, for messages.
  public let name: String
  /// Type of the stored elements.
  public let dtype: DType
  /// Extents as the checkpoint states them (PyTorch order: linear `[out, in]`, convolution `[out, in, kh, kw]`).
  public let shape: [Int]
  /// `shape` elements of `dtype`, little-endian, contiguous; aligned to the element's size.
  private let bytes: UnsafeRawBufferPointer
  /// Keeps `bytes` valid.
  private let owner: any AnyObject & Sendable

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// A weight over memory that `owner` keeps valid and unchanged.
  public init(name: String, dtype: DType, shape: [Int], bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable)
  {
    precondition(bytes.count == shape.reduce(1, *) * dtype.byteWidth, "\(name): bytes do not fill \(shape)")
    self.name = name
    self.dtype = dtype
    self.shape = shape
    unsafe self.bytes = bytes
    self.owner = owner
  }

  /// Calls `body` with the stored elements, which are valid within it. There is no other way to them: a pointer that was kept
  /// could outlive the last use of the weight, and with it the owner.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    defer { withExtendedLifetime(owner) {} }
    return try unsafe body(bytes)
  }

  /// The same bytes under another shape of equal count (an old 1x1 convolution read as a linear, say).
  public func reshaped(_ shape: [Int]) -> Parameter {
    unsafe Parameter(name: name, dtype: dtype, shape: shape, bytes: bytes, owner: owner)
  }
}
