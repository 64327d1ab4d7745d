internal import COpenBLAS

/// The only calls into the matrix library: row-major, fp32, on the calling thread.
///
/// OpenBLAS is told once to start no threads (`CPUDevice.init`): its own pool and ours would fight over the same
/// processors, and kernels need to do more per tile than multiply.

/// A matrix in memory: element (r, c) is `base[r · stride + c]`.
@unsafe struct MatrixView {
  let base: UnsafePointer<Float>
  let stride: Int
}

/// `c[rows, columns] (+)= alpha · a[rows, depth] · b[columns, depth]ᵀ`, the form of every layer: both operands
/// hold the summed index last.
func multiplyTransposed(
  rows: Int, columns: Int, depth: Int, _ a: MatrixView, _ b: MatrixView, into c: UnsafeMutablePointer<Float>,
  stride: Int, accumulating: Bool = false
) {
  unsafe cblas_sgemm(
    CblasRowMajor, CblasNoTrans, CblasTrans, Int32(rows), Int32(columns), Int32(depth), 1, a.base, Int32(a.stride),
    b.base, Int32(b.stride), accumulating ? 1 : 0, c, Int32(stride))
}

/// `c[rows, columns] (+)= a[rows, depth] · b[depth, columns]`: attention's weighted sum of values.
func multiply(
  rows: Int, columns: Int, depth: Int, _ a: MatrixView, _ b: MatrixView, into c: UnsafeMutablePointer<Float>,
  stride: Int, accumulating: Bool = false
) {
  unsafe cblas_sgemm(
    CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(rows), Int32(columns), Int32(depth), 1, a.base, Int32(a.stride),
    b.base, Int32(b.stride), accumulating ? 1 : 0, c, Int32(stride))
}
