import Tensors

/// Reproducible numbers: a linear congruential generator, uniform in -1...1.
struct Numbers {
  private var state: UInt32

  init(seed: UInt32) { state = seed &* 2_654_435_761 &+ 12_345 }

  mutating func next() -> Float {
    state = state &* 1_664_525 &+ 1_013_904_223
    return Float(Int32(bitPattern: state) >> 8) * 0x1p-23
  }

  mutating func array(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }

  mutating func tensor(_ shape: [Int], scale: Float = 1, offset: Float = 0) -> Tensor {
    Tensor(array(shape.reduce(1, *)).map { $0 * scale + offset }, shape: shape)
  }

  mutating func parameter(_ shape: [Int], _ dtype: DType = .float32) -> Parameter {
    makeParameter(array(shape.reduce(1, *)), shape, dtype)
  }
}

/// Bytes that a ``Parameter`` can hold on to.
@safe private final class Bytes: @unchecked Sendable {
  let buffer: UnsafeMutableRawBufferPointer

  init(_ bytes: [UInt8]) {
    unsafe buffer = .allocate(byteCount: bytes.count, alignment: 4)
    unsafe buffer.copyBytes(from: bytes)
  }

  deinit { unsafe buffer.deallocate() }
}

/// A weight made of raw bytes.
func makeParameter(bytes: [UInt8], _ shape: [Int], _ dtype: DType) -> Parameter {
  let owner = Bytes(bytes)
  return unsafe Parameter(
    name: "test.weight", dtype: dtype, shape: shape, bytes: UnsafeRawBufferPointer(owner.buffer), owner: owner)
}

/// A weight holding `elements`, rounded (bfloat16: cut) to its type.
func makeParameter(_ elements: [Float], _ shape: [Int], _ dtype: DType = .float32) -> Parameter {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(elements.count * dtype.byteWidth)
  for element in elements {
    switch dtype {
    case .float32: for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: element.bitPattern >> shift)) }
    case .float16:
      for shift in [0, 8] { bytes.append(UInt8(truncatingIfNeeded: Float16(element).bitPattern >> shift)) }
    case .bfloat16: for shift in [16, 24] { bytes.append(UInt8(truncatingIfNeeded: element.bitPattern >> shift)) }
    }
  }
  return makeParameter(bytes: bytes, shape, dtype)
}
