/// One head of one picture: `softmax(scale · query · keyᵀ) · value`. A head's elements are runs of `depth` in rows of a wider
/// matrix, whose row stride all four share.
@unsafe package struct AttentionTask {
  /// The head's first element of each operand.
  package var query: UnsafePointer<Float>, key: UnsafePointer<Float>, value: UnsafePointer<Float>
  /// The head's first element of the result.
  package var target: UnsafeMutablePointer<Float>
  /// Floats from one token to the next.
  package var stride: Int
  /// Tokens that are attended to.
  package var keys: Int
  /// Elements of a head.
  package var depth: Int
  /// Whether a query sees only the keys up to its own position.
  package var isCausal: Bool
  /// Keys that are taken together, at most; nil: as many as suit the cache.
  package var keyBlock: Int?
  /// Whether products are of integers of 16 bits, rounded as ``LinearKernels/roundedLinear(_:rows:columns:workspace:)`` says.
  package var isRounded: Bool

  /// All of it.
  package init(
    query: UnsafePointer<Float>, key: UnsafePointer<Float>, value: UnsafePointer<Float>,
    target: UnsafeMutablePointer<Float>, stride: Int, keys: Int, depth: Int, isCausal: Bool, keyBlock: Int? = nil,
    isRounded: Bool = false
  ) {
    unsafe self.query = query
    unsafe self.key = key
    unsafe self.value = value
    unsafe self.target = target
    unsafe self.stride = stride
    unsafe self.keys = keys
    unsafe self.depth = depth
    unsafe self.isCausal = isCausal
    unsafe self.keyBlock = keyBlock
    unsafe self.isRounded = isRounded
  }
}

/// Attention.
package protocol AttentionKernels: Sendable {
  /// Floats of working memory that ``attention(_:queries:workspace:)`` needs.
  static func attentionWorkspace(_ task: AttentionTask, queries: Int) -> Int

  /// Computes some queries of a head. A query's result does not depend on which others are computed with it.
  ///
  /// - Parameter workspace: 64-byte aligned.
  static func attention(_ task: AttentionTask, queries: Range<Int>, workspace: UnsafeMutablePointer<Float>)
}
