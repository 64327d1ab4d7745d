/// The sets of instructions that there are kernels for, from the smallest to the largest.
///
/// A matrix unit (AMX) would be one more case with a set of kernels of its own; there are none yet.
public enum InstructionSet: String, Sendable, CaseIterable, Comparable {
  /// What every processor of the architecture has: SSE2 on x86-64, NEON on arm64.
  case baseline
  /// 256-bit vectors, fused multiply-add and half-precision conversion.
  case avx2
  /// 512-bit vectors and 32 registers (F, BW, CD, DQ, VL).
  case avx512
  /// The same, with 8-bit products added up four at a time.
  case avx512vnni

  /// The smaller set comes first.
  public static func < (a: InstructionSet, b: InstructionSet) -> Bool {
    (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
  }
}
