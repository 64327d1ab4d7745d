internal import Diffusion
internal import Jobs
internal import Tensors

/// The memory that a worker may hold, and what is free of it.
///
/// Without it a job that is too large ends the whole worker: the kernel kills it, its lease runs out, and the next worker
/// is killed by the same job.
public struct MemoryLimit: Sendable, Equatable {
  /// Bytes in all, mapped weights counted; nil for no limit.
  public var bytes: Int?
  /// Bytes that could be had at this moment; nil where nobody knows.
  package var available: @Sendable () -> Int?

  /// The machine's, or what its control group leaves of it.
  public init() { self.init(bytes: ProcessMemory.limit) { ProcessMemory.available } }

  /// A smaller one that an operator sets; never more than the machine has.
  public init(bytes: Int) { self.init(bytes: min(bytes, ProcessMemory.limit ?? bytes)) { ProcessMemory.available } }

  package init(bytes: Int?, available: @escaping @Sendable () -> Int?) {
    self.bytes = bytes
    self.available = available
  }

  /// The same number of bytes.
  public static func == (a: MemoryLimit, b: MemoryLimit) -> Bool { a.bytes == b.bytes }

  /// Refuses a run before it starts.
  ///
  /// - Throws: `JobError`, permanent when the run needs more than this worker may ever have, and for later when it would
  ///   only be too much now.
  public func require(_ need: MemoryNeed, width: Int, height: Int) throws {
    let plan = need.plan
    if let bytes, plan.total > bytes {
      throw JobError(
        code: "too_large_for_memory",
        message:
          "width × height is \(width) × \(height): drawing it takes \(Self.gigabytes(plan.total)), of which "
          + "\(Self.gigabytes(plan.mappedWeights)) are the model's and \(Self.gigabytes(plan.activations)) grow with the "
          + "picture; this worker may use \(Self.gigabytes(bytes)). Ask for a smaller width or height, or run a worker "
          + "with more memory (--memory-limit).", isPermanent: true)
    }
    let missing = plan.privateTotal - need.held
    if let free = available(), missing > free {
      throw JobError(
        code: "out_of_memory",
        message:
          "width × height is \(width) × \(height): drawing it takes \(Self.gigabytes(missing)) more memory, and "
          + "\(Self.gigabytes(free)) are free on this machine now. The job is tried again; run fewer workers beside each "
          + "other, or ask for a smaller picture.", isPermanent: false)
    }
  }

  /// How many pictures may be drawn at once: `most`, or by halves fewer until they fit.
  ///
  /// - Parameter need: of so many at once; nil where it is not known.
  /// - Throws: as ``require(_:width:height:)`` when even one at a time does not fit.
  public func picturesAtOnce(
    upTo most: Int, width: Int, height: Int, need: (Int) throws -> MemoryNeed?
  ) throws -> Int {
    var count = most
    while true {
      guard let need = try need(count) else { return count }
      do {
        try require(need, width: width, height: height)
        return count
      } catch  where count > 1 {
        count /= 2
      }
    }
  }

  /// With two decimals: `7.46 GB`.
  public static func gigabytes(_ bytes: Int) -> String {
    let hundredths = (bytes + 5_000_000) / 10_000_000
    let fraction = String(hundredths % 100)
    return "\(hundredths / 100).\(fraction.count < 2 ? "0" : "")\(fraction) GB"
  }
}
