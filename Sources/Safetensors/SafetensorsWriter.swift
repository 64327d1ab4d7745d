internal import Glibc

/// Writes safetensors files: the same tensors give the same bytes, whatever order they come in.
public enum SafetensorsWriter {
  /// One tensor to write.
  public struct Entry: Sendable, Equatable {
    /// Its key in the file; not `__metadata__`.
    public var name: String
    /// Type of its elements.
    public var dtype: SafetensorsDType
    /// Its extents; none for a scalar.
    public var shape: [Int]
    /// Its elements, little-endian, row-major.
    public var bytes: [UInt8]

    /// A tensor of raw bytes.
    public init(name: String, dtype: SafetensorsDType, shape: [Int], bytes: [UInt8]) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
      self.bytes = bytes
    }

    /// A tensor of F32.
    public init(name: String, shape: [Int], floats: [Float]) {
      self.init(name: name, dtype: .float32, shape: shape, bytes: littleEndian(floats.map(\.bitPattern)))
    }

    /// A tensor of F16; each value is rounded to nearest.
    public init(name: String, shape: [Int], halves: [Float]) {
      self.init(
        name: name, dtype: .float16, shape: shape, bytes: littleEndian(halves.map { Float16($0).bitPattern }))
    }

    /// A tensor of BF16; each value is rounded to nearest, ties to even, and NaN stays NaN.
    public init(name: String, shape: [Int], brainFloats: [Float]) {
      let rounded = brainFloats.map { value -> UInt16 in
        let bits = value.bitPattern
        if value.isNaN { return UInt16(bits >> 16) | 0x40 }
        return UInt16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)
      }
      self.init(name: name, dtype: .bfloat16, shape: shape, bytes: littleEndian(rounded))
    }

    /// A tensor of I32.
    public init(name: String, shape: [Int], integers: [Int32]) {
      self.init(name: name, dtype: .int32, shape: shape, bytes: littleEndian(integers.map(UInt32.init(bitPattern:))))
    }

    /// A tensor of I64.
    public init(name: String, shape: [Int], integers: [Int64]) {
      self.init(name: name, dtype: .int64, shape: shape, bytes: littleEndian(integers.map(UInt64.init(bitPattern:))))
    }
  }

  /// Writes `entries` to `path`. The file appears whole or not at all: it is written beside `path` and renamed. It
  /// is not synchronised to the disk.
  ///
  /// - Throws: ``SafetensorsError``: two entries of one name, bytes that do not fill a shape, or the system's reason.
  public static func write(_ entries: [Entry], metadata: [String: String] = [:], to path: String) throws {
    // Wide elements first, so that every tensor is aligned; then by name. The reference writer's order.
    let order = SafetensorsDType.allCases
    let rank = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    let sorted = entries.sorted { a, b in
      let (rankA, rankB) = (rank[a.dtype, default: 0], rank[b.dtype, default: 0])
      return rankA != rankB ? rankA > rankB : a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
    }
    let header = try header(of: sorted, metadata: metadata, path: path)
    try replaceFile(at: path, with: [littleEndian([UInt64(header.count)]), header] + sorted.map(\.bytes))
  }

  /// A tensor whose bytes are still to come.
  public struct Description: Sendable, Equatable {
    /// Its key in the file; not `__metadata__`.
    public var name: String
    /// Type of its elements.
    public var dtype: SafetensorsDType
    /// Its extents; none for a scalar.
    public var shape: [Int]

    /// All of it.
    public init(name: String, dtype: SafetensorsDType, shape: [Int]) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
    }
  }

  /// Writes a file larger than memory: tensors in the order given, each asked for when it is written, the first one's bytes
  /// on a multiple of 64 in the file.
  ///
  /// - Parameter bytes: of a tensor; as many as its shape takes. What it throws leaves no file behind.
  public static func write(
    _ tensors: [Description], metadata: [String: String] = [:], to path: String, bytes: (Description) throws -> [UInt8]
  ) throws {
    let header = try header(of: tensors, metadata: metadata, path: path, alignment: 64)
    try replaceFile(at: path, count: tensors.count + 1) { index in
      guard index > 0 else { return littleEndian([UInt64(header.count)]) + header }
      let tensor = tensors[index - 1]
      let result = try bytes(tensor)
      let expected = try SafetensorsHeader.byteCount(of: tensor.shape, tensor.dtype, tensor: tensor.name, path: path)
      guard result.count == expected else {
        throw SafetensorsError(
          .invalidArgument, path: path, tensor: tensor.name, "has \(result.count) bytes, expected \(expected)")
      }
      return result
    }
  }

  private static func header(of entries: [Entry], metadata: [String: String], path: String) throws -> [UInt8] {
    for entry in entries {
      let expected = try SafetensorsHeader.byteCount(of: entry.shape, entry.dtype, tensor: entry.name, path: path)
      guard entry.bytes.count == expected else {
        throw SafetensorsError(
          .invalidArgument, path: path, tensor: entry.name,
          "has \(entry.bytes.count) bytes, expected \(expected) for \(entry.dtype.rawValue) of shape \(entry.shape)")
      }
    }
    return try header(
      of: entries.map { Description(name: $0.name, dtype: $0.dtype, shape: $0.shape) }, metadata: metadata, path: path,
      alignment: 8)
  }

  /// - Parameter alignment: of the first tensor's bytes in the file.
  private static func header(
    of entries: [Description], metadata: [String: String], path: String, alignment: Int
  ) throws -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      members.append(
        "\"__metadata__\":{\(pairs.map { "\(quoted($0.key)):\(quoted($0.value))" }.joined(separator: ","))}")
    }
    var offset = 0
    var names: Set<String> = ["__metadata__"]
    for entry in entries {
      guard names.insert(entry.name).inserted else {
        throw SafetensorsError(
          .invalidArgument, path: path, tensor: entry.name, "cannot be written: the name is reserved or used twice")
      }
      guard entry.shape.allSatisfy({ $0 >= 0 }) else {
        throw SafetensorsError(.invalidArgument, path: path, tensor: entry.name, "has the shape \(entry.shape)")
      }
      let expected = try SafetensorsHeader.byteCount(of: entry.shape, entry.dtype, tensor: entry.name, path: path)
      let shape = entry.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(quoted(entry.name)):{\"dtype\":\"\(entry.dtype.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(offset + expected)]}")
      offset += expected
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    header += Array(
      repeating: UInt8(ascii: " "), count: (alignment - (8 + header.count) % alignment) % alignment)
    guard header.count <= SafetensorsHeader.maximumByteCount else {
      throw SafetensorsError(
        .invalidArgument, path: path,
        "needs a header of \(header.count) bytes, expected at most "
          + "\(SafetensorsHeader.maximumByteCount)")
    }
    return header
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{8}": result += "\\b"
      case "\u{c}": result += "\\f"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\0"..<" ":
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private static func replaceFile(at path: String, with parts: [[UInt8]]) throws {
    try replaceFile(at: path, count: parts.count) { parts[$0] }
  }

  private static func replaceFile(at path: String, count: Int, part: (Int) throws -> [UInt8]) throws {
    let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp"
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw SafetensorsError(.inputOutput, path: path, "cannot be written: \(systemError())")
    }
    do {
      for index in 0..<count where !writeAll(try part(index), to: descriptor) {
        throw SafetensorsError(.inputOutput, path: path, "cannot be written: \(systemError())")
      }
    } catch {
      close(descriptor)
      _ = unsafe unlink(temporary)
      throw error
    }
    guard close(descriptor) == 0, unsafe rename(temporary, path) == 0 else {
      let reason = systemError()
      _ = unsafe unlink(temporary)
      throw SafetensorsError(.inputOutput, path: path, "cannot be written: \(reason)")
    }
  }

  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    unsafe bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count {
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
        let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { return false }
        written += count
      }
      return true
    }
  }
}

/// `values` as little-endian bytes, one after the other.
private func littleEndian(_ values: [some FixedWidthInteger]) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(values.count * (values.first?.bitWidth ?? 0) / 8)
  for value in values {
    unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
  }
  return bytes
}
