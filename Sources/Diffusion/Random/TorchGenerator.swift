internal import Foundation

/// A source of standard normal numbers that draws what `torch.randn(…, generator=torch.Generator("cpu"))` draws.
///
/// A seed is part of what a user may quote years later, and other programs that take a seed follow PyTorch on the
/// CPU, so the numbers are PyTorch's: for the same seed and the same sequence of counts they equal, bit for bit,
/// those of a PyTorch build that uses AVX2 (every x86-64 wheel on a machine of the last ten years). Its scalar
/// build differs by up to 2e-6, because it rounds its logarithm and sine otherwise.
///
/// What a call returns depends on how the draws are divided into calls: `randn(count: 32)` is not two times
/// `randn(count: 16)`'s algorithm for counts that 16 does not divide, and counts below 16 take another path.
/// Draw what PyTorch would draw in one call in one call.
public struct TorchGenerator: Sendable {
  private var engine: MersenneTwister
  /// The second value of the last pair of the path for small counts. It waits, whatever is drawn in between.
  private var cachedNormal: Double?

  /// The generator after `manual_seed(seed)`. Only the low 32 bits count, as in PyTorch: 2³² + 42 is 42.
  public init(seed: some FixedWidthInteger) {
    engine = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
  }

  /// Draws `count` values in the order in which PyTorch fills a contiguous tensor (NCHW for latents).
  public mutating func randn(count: Int) -> [Float] {
    precondition(count >= 0, "cannot draw \(count) numbers")
    if count < Self.block { return (0..<count).map { _ in Float(nextNormal()) } }
    // All uniforms come first, then blocks of sixteen turn into normals in place: interleaving the two would
    // give other numbers as soon as the last block is a partial one.
    var values = (0..<count).map { _ in nextUniform() }
    for start in stride(from: 0, through: count - Self.block, by: Self.block) {
      BoxMuller.transform(&values, at: start)
    }
    if count % Self.block != 0 {
      // The tail is the last sixteen places drawn afresh, over values that are already finished.
      let start = count - Self.block
      for i in start..<count { values[i] = nextUniform() }
      BoxMuller.transform(&values, at: start)
    }
    return values
  }

  /// 24 random bits as a fraction, [0, 1).
  private mutating func nextUniform() -> Float {
    Float(engine.next() & 0xff_ffff) / 16_777_216
  }

  /// 53 random bits as a fraction, [0, 1); the first word is the high one.
  private mutating func nextDouble() -> Double {
    let high = UInt64(engine.next())
    let low = UInt64(engine.next())
    return Double(((high << 32) | low) & (1 << 53 - 1)) / 0x1p53
  }

  /// One normal of the path for counts below sixteen, in double precision, two from each pair of uniforms.
  private mutating func nextNormal() -> Double {
    if let value = cachedNormal {
      cachedNormal = nil
      return value
    }
    let angle = 2 * Double.pi * nextDouble()
    let radius = (-2 * log1p(-nextDouble())).squareRoot()
    cachedNormal = radius * sin(angle)
    return radius * cos(angle)
  }

  private static let block = BoxMuller.block
}
