internal import KernelInterface
internal import KernelsBaseline

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif
#if arch(x86_64)
  internal import KernelsAVX2
  internal import KernelsAVX512
  internal import KernelsAVX512VNNI
#endif

/// Which kernels a device uses, and why.
public struct KernelChoice: Sendable {
  /// The environment variable that overrides the choice: the name of an ``InstructionSet``.
  public static let variable = "TINTYPE_CPU"

  /// What was chosen.
  public let instructionSet: InstructionSet
  /// A few words for an operator: what was found, or who asked for it.
  public let reason: String

  /// The choice that the environment asks for, or the largest set that can be used.
  ///
  /// - Throws: ``DeviceError`` if the variable's value is unknown or the processor does not have the set.
  public init() throws {
    try self.init(setting: unsafe getenv(Self.variable).map { unsafe String(cString: $0) } ?? "")
  }

  /// The same for a value of the variable; empty counts as unset.
  package init(setting: String) throws {
    let available = Processor.current.instructionSets
    let legal = available.map(\.rawValue).joined(separator: ", ")
    if setting.isEmpty {
      self.init(available.max() ?? .baseline, reason: "the largest of those usable here: \(legal)")
      return
    }
    guard let named = InstructionSet(rawValue: setting), available.contains(named) else {
      let fault = InstructionSet(rawValue: setting) == nil ? "is no instruction set" : "is not on this processor"
      throw DeviceError(
        .unsupportedInstructions,
        "\(Self.variable)=\(setting) \(fault); legal here: \(legal). Unset it to have the largest chosen.")
    }
    self.init(named, reason: "set by \(Self.variable)")
  }

  init(_ instructionSet: InstructionSet, reason: String) {
    precondition(
      Processor.current.instructionSets.contains(instructionSet), "\(instructionSet) is not on this processor")
    self.instructionSet = instructionSet
    self.reason = reason
  }

  /// The kernels of the chosen set.
  var kernels: any KernelSet.Type {
    #if arch(x86_64)
      switch instructionSet {
      case .baseline: KernelsBaseline.VectorKernels.self
      case .avx2: KernelsAVX2.VectorKernels.self
      case .avx512: KernelsAVX512.VectorKernels.self
      case .avx512vnni: KernelsAVX512VNNI.VectorKernels.self
      }
    #else
      KernelsBaseline.VectorKernels.self
    #endif
  }
}
