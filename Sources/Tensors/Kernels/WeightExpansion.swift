/// Stored weights to fp32, a run at a time.
///
/// The three loops are plain integer and float arithmetic on purpose: a baseline x86-64 has no half-precision
/// conversion, and `Float(Float16)` would be a function call per element there; these compile to vector code
/// everywhere.
///
/// Expands elements `start..<start + count` of a parameter into `target`.
func expand(_ parameter: Parameter, from start: Int, count: Int, into target: UnsafeMutablePointer<Float>) {
  precondition(start >= 0 && count >= 0 && start + count <= parameter.count, "\(parameter.name): run out of bounds")
  unsafe parameter.withBytes { bytes in
    guard count > 0, let base = bytes.baseAddress else { return }
    switch parameter.dtype {
    case .float32:
      unsafe target.update(from: base.assumingMemoryBound(to: Float.self) + start, count: count)
    case .float16:
      unsafe expandFloat16(base.assumingMemoryBound(to: UInt16.self) + start, count, into: target)
    case .bfloat16:
      unsafe expandBFloat16(base.assumingMemoryBound(to: UInt16.self) + start, count, into: target)
    }
  }
}

/// bfloat16 is the upper half of fp32.
private func expandBFloat16(_ source: UnsafePointer<UInt16>, _ count: Int, into target: UnsafeMutablePointer<Float>) {
  for index in 0..<count { unsafe target[index] = Float(bitPattern: UInt32(source[index]) &<< 16) }
}

/// IEEE half precision, every value exact: subnormals, infinities and NaN included.
private func expandFloat16(_ source: UnsafePointer<UInt16>, _ count: Int, into target: UnsafeMutablePointer<Float>) {
  for index in 0..<count {
    let half = unsafe UInt32(source[index])
    let magnitude = half & 0x7FFF
    // The exponent's bias is 15 in one format and 127 in the other; all ones (∞, NaN) must stay all ones.
    let bias: UInt32 = magnitude >= 0x7C00 ? 224 &<< 23 : 112 &<< 23
    let normal = (magnitude &<< 13) &+ bias
    // A subnormal is its fraction times 2⁻²⁴.
    let subnormal = (Float(Int32(bitPattern: magnitude)) * 0x1p-24).bitPattern
    let bits = magnitude < 0x0400 ? subnormal : normal
    unsafe target[index] = Float(bitPattern: bits | (half & 0x8000) &<< 16)
  }
}
