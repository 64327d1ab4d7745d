/// The slow twin: every operation as one plain loop, accumulated in double precision.
///
/// It exists to be obviously right. Kernels are tested against it over enumerated shapes, and a network that
/// runs on it and on `CPUDevice` tells a wrong kernel from a wrong network. It is far too slow for a full-size
/// model. Each operation is an extension in a file of its own, named after the kernel it judges.
public struct ReferenceDevice: Device {
  /// A device without state.
  public init() {}

  /// A stored weight and its bias, expanded once.
  struct Packed: Sendable {
    let weight: [Float]
    let bias: [Float]?
  }

  /// Every element as fp32, the shape as stored.
  public func vector(_ parameter: Parameter) throws -> Tensor {
    Tensor(Self.expanded(parameter), shape: parameter.shape)
  }

  /// Every element of a stored weight as fp32.
  static func expanded(_ parameter: Parameter) -> [Float] {
    (0..<parameter.count).map { element($0, of: parameter) }
  }

  /// One element of a stored weight as fp32, read in place.
  static func element(_ index: Int, of parameter: Parameter) -> Float {
    precondition(0 <= index && index < parameter.count, "\(parameter.name): element \(index) of \(parameter.count)")
    return unsafe parameter.withBytes { bytes in
      switch parameter.dtype {
      case .float32:
        unsafe Float(
          bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)))
      case .float16:
        unsafe Float(
          Float16(bitPattern: UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))))
      case .bfloat16:
        // bfloat16 is the upper half of a float32.
        unsafe Float(
          bitPattern: UInt32(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)))
            << 16)
      }
    }
  }
}
