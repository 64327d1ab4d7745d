internal import CProcessor

/// What the processor can do, as far as kernels care.
public struct Processor: Sendable {
  /// The maker's name of it; empty where the system does not tell.
  public let name: String
  /// The features that were found, of those that matter here, by the names that `/proc/cpuinfo` uses.
  public let features: [String]
  /// Bytes of the first and second level data cache of a core, and of the last level; 0 where unknown.
  public let level1Cache: Int, level2Cache: Int, level3Cache: Int
  /// The instruction sets that can be used, ``InstructionSet/baseline`` first.
  public let instructionSets: [InstructionSet]

  /// The processor that this process runs on. Features that the operating system does not save are absent.
  public static let current = Processor(processor_describe())

  private init(_ found: processor_description) {
    var description = found
    name = unsafe withUnsafeBytes(of: &description.name) { bytes in
      let text = unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      return text.split(separator: " ").joined(separator: " ")
    }
    features = [
      ("avx2", found.avx2), ("fma", found.fma), ("f16c", found.f16c), ("bmi2", found.bmi2), ("avx512f", found.avx512f),
      ("avx512bw", found.avx512bw), ("avx512cd", found.avx512cd), ("avx512dq", found.avx512dq),
      ("avx512vl", found.avx512vl), ("avx512_vnni", found.avx512vnni), ("amx_int8", found.amxint8),
    ].filter(\.1).map(\.0)
    (level1Cache, level2Cache, level3Cache) = (Int(found.level1), Int(found.level2), Int(found.level3))
    // Each set is compiled with everything of the set below, so it needs all of that too.
    let avx2 = found.avx2 && found.fma && found.f16c && found.bmi2
    let avx512 =
      avx2 && found.avx512f && found.avx512bw && found.avx512cd && found.avx512dq && found.avx512vl
    instructionSets =
      [.baseline] + (avx2 ? [.avx2] : []) + (avx512 ? [.avx512] : [])
      + (avx512 && found.avx512vnni ? [.avx512vnni] : [])
  }
}
