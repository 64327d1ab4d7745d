import Tensors
import Testing

/// Every bit pattern of the two short types: zeros, subnormals, infinities and NaN included.
@Suite struct WeightExpansionTests {
  private func every16BitPattern(_ dtype: DType) -> Parameter {
    makeParameter(
      bytes: (0...UInt16.max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }, [65_536], dtype)
  }

  @Test func float16() throws {
    let parameter = every16BitPattern(.float16)
    for found in [try Trial.devices[0].vector(parameter).array, try Trial.reference.vector(parameter).array] {
      for (pattern, value) in found.enumerated() {
        // The language's own conversion; a NaN must stay one, whatever its payload.
        let expected = Float(Float16(bitPattern: UInt16(pattern)))
        if value.bitPattern != expected.bitPattern && !(value.isNaN && expected.isNaN) {
          Issue.record("\(pattern) became \(value), not \(expected)")
          return
        }
      }
    }
  }

  @Test func float16ByHand() throws {
    // Smallest subnormal, largest subnormal, smallest normal, 1, largest, the infinities, minus zero.
    let patterns: [UInt16] = [0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0x7C00, 0xFC00, 0x8000]
    let parameter = makeParameter(
      bytes: patterns.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }, [8], .float16)
    let found = try Trial.devices[0].vector(parameter).array
    #expect(found == [0x1p-24, 1023 * 0x1p-24, 0x1p-14, 1, 65_504, .infinity, -.infinity, 0])
    #expect(found[7].sign == .minus)
  }

  @Test func bfloat16() throws {
    let found = try Trial.devices[0].vector(every16BitPattern(.bfloat16)).array
    for (pattern, value) in found.enumerated() where value.bitPattern != UInt32(pattern) << 16 {
      Issue.record("\(pattern) became \(value)")
      return
    }
  }

  @Test func float32KeepsItsBits() throws {
    let values: [Float] = [0, -0.0, .leastNonzeroMagnitude, -.infinity, .pi, .greatestFiniteMagnitude]
    let found = try Trial.devices[0].vector(makeParameter(values, [6])).array
    #expect(found.map(\.bitPattern) == values.map(\.bitPattern))
  }

  /// A subnormal weight must survive the way through a layer.
  @Test func subnormalWeightMultiplies() throws {
    let weight = makeParameter([0x1p-24, 0x1p-20], [1, 2], .float16)
    for device in Trial.devices {
      let result = try device.linear(Tensor([1, 1], shape: [1, 2]), device.linearWeights(weight, bias: nil))
      #expect(result.array == [0x1p-24 + 0x1p-20])
    }
  }
}
