internal import CProcessor
internal import KernelInterface

/// This module's set of kernels; the other files of the folder extend it.
package enum VectorKernels: KernelSet {
  package static var lanes: Int { Vector.scalarCount }
}
