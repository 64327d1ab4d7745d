/// What this worker takes on. The table refuses what no worker can run; these are the bounds of one machine.
public struct ImageJobLimits: Sendable, Equatable {
  /// Largest picture, width × height.
  public var maximumPixels: Int
  /// Memory that this worker may hold, weights included.
  public var memory: MemoryLimit
  /// Largest encoded initial picture, in bytes.
  public var maximumInitImageBytes: Int
  /// Largest initial picture once decoded, width × height: a file of a few kilobytes can decode to gigabytes.
  public var maximumInitImagePixels: Int

  /// Bounds for a machine of ordinary size: pictures up to 2048 × 2048. `--max-pixels` changes that.
  public init(
    maximumPixels: Int = 2048 * 2048, memory: MemoryLimit = MemoryLimit(), maximumInitImageBytes: Int = 64 << 20,
    maximumInitImagePixels: Int = 64_000_000
  ) {
    self.maximumPixels = maximumPixels
    self.memory = memory
    self.maximumInitImageBytes = maximumInitImageBytes
    self.maximumInitImagePixels = maximumInitImagePixels
  }
}
