/// One tensor as the header describes it.
public struct SafetensorsTensor: Sendable, Equatable {
  /// Its key in the file.
  public let name: String
  /// Type of its elements.
  public let dtype: SafetensorsDType
  /// Its extents; none for a scalar. An extent of 0 makes it empty.
  public let shape: [Int]
  /// Its bytes, counted from the end of the header.
  public let range: Range<Int>

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }
}

/// The validated header of a file: when this exists, every tensor's bytes lie inside the file, no two overlap, and
/// no byte of the file is unaccounted for.
struct SafetensorsHeader {
  /// As the format prescribes; a longer one is an attack or an accident.
  static let maximumByteCount = 100_000_000

  let metadata: [String: String]
  /// In the order of their bytes.
  let tensors: [SafetensorsTensor]

  /// Parses and validates. `payloadByteCount` is what remains of the file behind the header.
  init(_ bytes: [UInt8], payloadByteCount: Int, path: String) throws {
    guard bytes.first == UInt8(ascii: "{") else {
      throw SafetensorsError(.invalidHeader, path: path, "the header does not begin with '{'")
    }
    var metadata: [String: String] = [:]
    var tensors: [SafetensorsTensor] = []
    do {
      var scanner = try HeaderScanner(bytes)
      try scanner.object { scanner, name in
        if name == "__metadata__" {
          try scanner.object { scanner, key in metadata[key] = try scanner.string() }
        } else {
          tensors.append(try Self.tensor(named: name, &scanner, path: path))
        }
      }
      guard scanner.peek() == nil else { throw scanner.failure("only spaces behind the object") }
    } catch let failure as HeaderScanner.Failure {
      throw SafetensorsError(.invalidHeader, path: path, failure.message)
    }
    tensors.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    try Self.checkCoverage(tensors, of: payloadByteCount, path: path)
    self.metadata = metadata
    self.tensors = tensors
  }

  private static func tensor(named name: String, _ scanner: inout HeaderScanner, path: String) throws
    -> SafetensorsTensor
  {
    var typeName: String?
    var shape: [Int]?
    var offsets: [Int]?
    try scanner.object { scanner, key in
      switch key {
      case "dtype": typeName = try scanner.string()
      case "shape": shape = try scanner.sizes()
      case "data_offsets": offsets = try scanner.sizes()
      default:
        throw SafetensorsError(
          .invalidHeader, path: path, tensor: name,
          "has the key \"\(key)\", expected \"dtype\", \"shape\" and \"data_offsets\"")
      }
    }
    guard let typeName, let shape, let offsets else {
      let missing = typeName == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
      throw SafetensorsError(.invalidHeader, path: path, tensor: name, "has no \"\(missing)\"")
    }
    guard let dtype = SafetensorsDType(rawValue: typeName) else {
      throw SafetensorsError(
        .invalidHeader, path: path, tensor: name,
        "has the dtype \"\(typeName)\", expected one of "
          + SafetensorsDType.allCases.map(\.rawValue).joined(separator: ", "))
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw SafetensorsError(
        .invalidHeader, path: path, tensor: name,
        "has the data_offsets \(offsets), expected two numbers, the second not below the first")
    }
    let expected = try byteCount(of: shape, dtype, tensor: name, path: path)
    guard offsets[1] - offsets[0] == expected else {
      throw SafetensorsError(
        .inconsistent, path: path, tensor: name,
        "has \(offsets[1] - offsets[0]) bytes (data_offsets \(offsets)), expected \(expected) for "
          + "\(typeName) of shape \(shape)")
    }
    return SafetensorsTensor(name: name, dtype: dtype, shape: shape, range: offsets[0]..<offsets[1])
  }

  /// `shape × dtype`, with every multiplication checked: a product that wraps around could match any range.
  static func byteCount(of shape: [Int], _ dtype: SafetensorsDType, tensor: String, path: String) throws -> Int {
    var bits = dtype.bitWidth
    for extent in shape {
      let (product, overflow) = bits.multipliedReportingOverflow(by: extent)
      guard !overflow else {
        throw SafetensorsError(
          .inconsistent, path: path, tensor: tensor, "has the shape \(shape), which is larger than any file")
      }
      bits = product
    }
    guard bits % 8 == 0 else {
      throw SafetensorsError(
        .inconsistent, path: path, tensor: tensor,
        "has the shape \(shape) of \(dtype.rawValue), which does not fill whole bytes")
    }
    return bits / 8
  }

  /// The tensors' ranges, in order, must tile the payload: no gap, no overlap, nothing behind.
  private static func checkCoverage(_ tensors: [SafetensorsTensor], of payloadByteCount: Int, path: String) throws {
    var end = 0
    for tensor in tensors {
      guard tensor.range.lowerBound == end else {
        let what = tensor.range.lowerBound < end ? "overlaps the tensor before it" : "leaves bytes unused before it"
        throw SafetensorsError(
          .inconsistent, path: path, tensor: tensor.name,
          "\(what): it begins at byte \(tensor.range.lowerBound), expected \(end)")
      }
      end = tensor.range.upperBound
    }
    guard end <= payloadByteCount else {
      throw SafetensorsError(
        .truncated, path: path,
        "has \(payloadByteCount) bytes of tensors, expected \(end): the file was cut short; copy or download it again")
    }
    guard end == payloadByteCount else {
      throw SafetensorsError(
        .inconsistent, path: path,
        "has \(payloadByteCount - end) bytes behind the last tensor, expected none: the file is damaged")
    }
  }
}
