extension CPUDevice {
  /// Bytes of working memory that the kernels hold, kept from call to call.
  public var scratchHeld: Int { scratch.byteCount }

  /// What ``scratchHeld`` may come to, whatever the shapes: panels of expanded weights for all threads together, and
  /// blocks for each of them.
  public static func scratchBound(threads: Int) -> Int { (96 + 24 * threads) << 20 }
}
