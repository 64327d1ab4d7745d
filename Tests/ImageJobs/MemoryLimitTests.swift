import Diffusion
import ImageJobs
import Jobs
import Testing

/// A job that does not fit is refused before it runs, with the figure.
@Suite struct MemoryLimitTests {
  static let need = MemoryNeed(
    plan: MemoryPlan(
      mappedWeights: 7_000_000_000, releasedWeights: 0, privateWeights: 10_000_000, activations: 700_000_000,
      liveActivations: 690_000_000,
      scratch: 150_000_000, prompts: 50_000_000, picturesAtOnce: 1, pictures: 10_000_000), held: 100_000_000)

  private static func refusal(limit: Int?, available: Int?) -> JobError? {
    do {
      try MemoryLimit(bytes: limit) { available }.require(need, width: 1024, height: 512)
      return nil
    } catch {
      return error as? JobError
    }
  }

  @Test func moreThanTheWorkerMayEverHaveIsPermanent() throws {
    let error = try #require(Self.refusal(limit: 7_900_000_000, available: nil))
    #expect(error.code == "too_large_for_memory" && error.isPermanent)
    for word in ["width × height is 1024 × 512", "7.92 GB", "7.00 GB", "7.90 GB", "--memory-limit"] {
      #expect(error.message.contains(word), "\(error.message)")
    }
    #expect(Self.refusal(limit: 7_920_000_000, available: nil) == nil)
    #expect(Self.refusal(limit: nil, available: nil) == nil)
  }

  /// Mapped weights need no free memory, and what earlier runs left is there already.
  @Test func moreThanIsFreeNowIsForLater() throws {
    let error = try #require(Self.refusal(limit: nil, available: 800_000_000))
    #expect(error.code == "out_of_memory" && !error.isPermanent)
    #expect(error.message.contains("0.82 GB more"), "\(error.message)")
    #expect(Self.refusal(limit: nil, available: 820_000_000) == nil)
  }

  @Test func anOperatorCannotAllowMoreThanThereIs() throws {
    let machine = try #require(MemoryLimit().bytes)
    #expect(MemoryLimit(bytes: .max).bytes == machine)
    #expect(MemoryLimit(bytes: 1000).bytes == 1000)
  }
}
