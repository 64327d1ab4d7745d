extension SafetensorsFile {
  /// The elements of `name` as fp32, in row-major order: for tensors that are data (an expected output, say) and not
  /// weights. Of F32, F16, BF16 and F64; the last is rounded.
  public func floats(_ name: String) throws -> [Float] {
    let tensor = try tensor(name)
    let bytes = try bytes(name)
    switch tensor.dtype {
    case .float32: return elements(bytes, UInt32.self).map { Float(bitPattern: $0) }
    case .float16: return elements(bytes, UInt16.self).map { Float(Float16(bitPattern: $0)) }
    case .bfloat16: return elements(bytes, UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
    case .float64: return elements(bytes, UInt64.self).map { Float(Double(bitPattern: $0)) }
    default:
      throw SafetensorsError(
        .unsupportedType, path: path, tensor: name, "is \(tensor.dtype.rawValue), expected F32, F16, BF16 or F64")
    }
  }

  /// The elements of `name` as integers, in row-major order. Of any whole-number type but U64.
  public func integers(_ name: String) throws -> [Int64] {
    let tensor = try tensor(name)
    let bytes = try bytes(name)
    switch tensor.dtype {
    case .uint8, .bool: return bytes.map(Int64.init)
    case .int8: return bytes.map { Int64(Int8(bitPattern: $0)) }
    case .uint16: return elements(bytes, UInt16.self).map(Int64.init)
    case .int16: return elements(bytes, UInt16.self).map { Int64(Int16(bitPattern: $0)) }
    case .uint32: return elements(bytes, UInt32.self).map(Int64.init)
    case .int32: return elements(bytes, UInt32.self).map { Int64(Int32(bitPattern: $0)) }
    case .int64: return elements(bytes, UInt64.self).map { Int64(bitPattern: $0) }
    default:
      throw SafetensorsError(
        .unsupportedType, path: path, tensor: name, "is \(tensor.dtype.rawValue), expected a whole-number type")
    }
  }

  /// Little-endian elements of one width.
  private func elements<T: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(_ bytes: [UInt8], _ type: T.Type)
    -> [T]
  {
    unsafe bytes.withUnsafeBytes { buffer in
      stride(from: 0, to: buffer.count, by: MemoryLayout<T>.size).map { offset in
        unsafe T(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: T.self))
      }
    }
  }
}

extension SafetensorsFile {
  /// Whether no element of `name` is NaN or infinite. True for types that have neither. Reads all of its bytes.
  public func isFinite(_ name: String) throws -> Bool {
    let tensor = try tensor(name)
    switch tensor.dtype {
    // The exponent of a number that is not finite is all ones.
    case .float16: return !contains(tensor, UInt16.self, allBitsOf: 0x7c00)
    case .bfloat16: return !contains(tensor, UInt16.self, allBitsOf: 0x7f80)
    case .float32, .complex64: return !contains(tensor, UInt32.self, allBitsOf: 0x7f80_0000)
    case .float64: return !contains(tensor, UInt64.self, allBitsOf: 0x7ff0_0000_0000_0000)
    default: return true
    }
  }

  private func contains<T: FixedWidthInteger & BitwiseCopyable>(
    _ tensor: SafetensorsTensor, _ type: T.Type, allBitsOf mask: T
  ) -> Bool {
    let buffer = unsafe slice(tensor)
    var isFound = false
    for offset in stride(from: 0, to: buffer.count, by: MemoryLayout<T>.size) {
      let element = unsafe T(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: T.self))
      isFound = isFound || element & mask == mask
    }
    return isFound
  }
}
