public import Tensors

/// A safetensors file, mapped and validated whole before any byte of a tensor is looked at.
///
/// Layout: eight bytes, the header's length (little-endian); the header, a JSON object of tensors with type, shape
/// and byte range; then the bytes. See <https://github.com/huggingface/safetensors>.
///
/// The file must not be shortened while it is open (every read touches its pages): replace it by
/// renaming another over it.
public final class SafetensorsFile: Sendable {
  /// Where it was opened.
  public let path: String
  /// Size of the whole file.
  public let byteCount: Int
  /// When its contents last changed, in nanoseconds since 1970.
  public let changeTime: Int
  /// Length and header as the file has them: everything but the tensors' bytes.
  public let headerBytes: [UInt8]
  /// The file's `__metadata__`.
  public let metadata: [String: String]
  /// Every tensor by name.
  public let tensors: [String: SafetensorsTensor]
  private let mapping: MappedFile

  /// Opens and validates `path`. Nothing but the header is read.
  ///
  /// - Throws: ``SafetensorsError`` that names the file, the tensor, what was found and what was expected.
  public init(path: String) throws {
    let file = try OpenFile(path: path)
    guard file.byteCount >= 8 else {
      throw SafetensorsError(
        .truncated, path: path, "has \(file.byteCount) bytes, expected at least 8: this is no safetensors file")
    }
    let prefix = try file.read(8, at: 0)
    let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(SafetensorsHeader.maximumByteCount) else {
      throw SafetensorsError(
        .invalidHeader, path: path,
        "has a header of \(length) bytes, expected at most \(SafetensorsHeader.maximumByteCount): "
          + "this is no safetensors file, or it is damaged")
    }
    let headerLength = Int(length)
    guard headerLength <= file.byteCount - 8 else {
      throw SafetensorsError(
        .truncated, path: path,
        "has \(file.byteCount - 8) bytes behind its length, expected a header of \(headerLength): "
          + "the file was cut short; copy or download it again")
    }
    // Copied before it is judged, so that nobody can change what was validated.
    let headerBytes = try file.read(headerLength, at: 8)
    let header = try SafetensorsHeader(
      headerBytes, payloadByteCount: file.byteCount - 8 - headerLength, path: path)

    self.path = path
    self.byteCount = file.byteCount
    changeTime = file.changeTime
    self.headerBytes = prefix + headerBytes
    metadata = header.metadata
    tensors = Dictionary(uniqueKeysWithValues: header.tensors.map { ($0.name, $0) })
    mapping = try MappedFile(file)
  }

  /// The description of `name`.
  public func tensor(_ name: String) throws -> SafetensorsTensor {
    guard let tensor = tensors[name] else {
      throw SafetensorsError(.noSuchTensor, path: path, tensor: name, "is not in this file")
    }
    return tensor
  }

  /// The weight `name`, in place: no byte is copied, and the file stays mapped as long as the weight is held.
  ///
  /// The one exception is a tensor that lies at an odd address, in a file of an old writer that did not pad its
  /// header: it is copied, because kernels load whole elements.
  ///
  /// - Throws: ``SafetensorsError`` when it is absent or not of a floating type that networks compute with.
  public func parameter(_ name: String) throws -> Parameter {
    let tensor = try tensor(name)
    guard let dtype = tensor.dtype.parameterType else {
      throw SafetensorsError(
        .unsupportedType, path: path, tensor: name,
        "is \(tensor.dtype.rawValue), expected \(DType.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let bytes = unsafe slice(tensor)
    if unsafe bytes.isEmpty || Int(bitPattern: bytes.baseAddress) % dtype.byteWidth == 0 {
      return unsafe Parameter(name: name, dtype: dtype, shape: tensor.shape, bytes: bytes, owner: mapping)
    }
    let copy = unsafe AlignedCopy(of: bytes)
    return unsafe Parameter(name: name, dtype: dtype, shape: tensor.shape, bytes: copy.bytes, owner: copy)
  }

  /// A copy of the bytes of `name`, as the file stores them.
  public func bytes(_ name: String) throws -> [UInt8] {
    unsafe Array(slice(try tensor(name)))
  }

  /// A copy of the bytes of `ranges`, one after the other; each is counted from the start of the file and lies inside
  /// it. Reads nothing else from the disk, so a few samples of a large file are cheap.
  public func bytes(in ranges: [Range<Int>]) -> [UInt8] {
    mapping.withScatteredAccess {
      ranges.flatMap { range in
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "\(range) is outside \(path)")
        return unsafe Array(mapping.slice(range))
      }
    }
  }

  /// Has `name` read ahead of use, in the background and in the order in which tensors are asked for.
  public func prefetch(_ name: String) throws {
    mapping.prefetch(fileRange(try tensor(name)))
  }

  /// Takes the file out of this process's memory until it is touched again; what it holds stays valid.
  public func release() { mapping.release(0..<byteCount) }

  /// The same for the bytes of `name`.
  public func release(_ name: String) throws { mapping.release(fileRange(try tensor(name))) }

  /// The int8 layer that ``QuantizedParameter/record(of:name:)`` sealed under `name`, in place.
  ///
  /// - Parameter isChecked: whether all of it is read, to see that it is what was sealed.
  /// - Throws: ``SafetensorsError`` when it is absent, of another shape, or damaged.
  public func quantizedParameter(_ name: String, shape: [Int], isChecked: Bool) throws -> QuantizedParameter {
    let tensor = try tensor(name)
    let expected = QuantizedParameter.recordByteCount(shape)
    guard tensor.dtype == .uint8, tensor.shape == [expected] else {
      throw SafetensorsError(
        .inconsistent, path: path, tensor: name,
        "is \(tensor.dtype.rawValue) of shape \(tensor.shape), expected U8 of shape [\(expected)]")
    }
    guard
      let layer = unsafe QuantizedParameter(
        name: name, shape: shape, record: slice(tensor), isChecked: isChecked, owner: mapping)
    else {
      throw SafetensorsError(.inconsistent, path: path, tensor: name, "does not match its checksum: it is damaged")
    }
    return layer
  }

  /// In bounds: the header was validated against the size that was mapped.
  func slice(_ tensor: SafetensorsTensor) -> UnsafeRawBufferPointer {
    unsafe mapping.slice(fileRange(tensor))
  }

  /// The bytes of `tensor`, counted from the start of the file.
  private func fileRange(_ tensor: SafetensorsTensor) -> Range<Int> {
    headerBytes.count + tensor.range.lowerBound..<headerBytes.count + tensor.range.upperBound
  }
}

/// Bytes moved to an address that any element may be loaded from.
///
/// Unchecked: written once, in the initialiser.
@safe private final class AlignedCopy: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  init(of source: UnsafeRawBufferPointer) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 64)
    unsafe copy.copyMemory(from: source)
    unsafe bytes = UnsafeRawBufferPointer(copy)
  }

  deinit { unsafe bytes.deallocate() }
}
