/// Kernels compiled for one instruction set.
///
/// The sources in `Kernels` are compiled once per instruction set, each time as a module of its own; all of them conform to this
/// protocol, and a device picks one at run time. So the protocol is the border between code that every processor of the
/// architecture runs and code that only some do, and two rules follow: vectors never cross it, since their size and
/// the registers that pass them differ from side to side, and nothing generic does, since the linker keeps one copy of
/// a specialisation that two modules emit, and it might be the one that this processor cannot run.
///
/// Kernels run on the calling thread and allocate nothing; a device divides the work and lends the memory.
package protocol KernelSet: LinearKernels, Int8Kernels, AttentionKernels, WinogradKernels {
  /// Floats in a register.
  static var lanes: Int { get }

  /// Multiplies and adds in registers alone, the densest arithmetic there is: what the processor can do at most.
  ///
  /// - Returns: floating-point operations done, to be divided by the time that they took.
  static func multiplyAddProbe(rounds: Int) -> Int
}
