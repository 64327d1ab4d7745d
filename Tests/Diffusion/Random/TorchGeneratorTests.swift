import Diffusion
import Foundation
import TestSupport
import Testing

@Suite struct TorchGeneratorTests {
  /// Literal values published by many programs that follow PyTorch, so that this suite stands without its fixture.
  @Test func knownValues() {
    var generator = TorchGenerator(seed: 42)
    let first = generator.randn(count: 4 * 64 * 64)
    #expect(first.prefix(4).elementsEqual([1.92691529, 1.48728406, 0.90071720, -2.10552096]))
    #expect(first.suffix(4).elementsEqual([-0.81114382, -0.63575047, 0.97280973, -0.29340610]))
    let second = generator.randn(count: 4 * 64 * 64)
    #expect(second.prefix(4).elementsEqual([-1.30465865, 1.45070338, 0.24427997, -0.27988964]))
    #expect(second.suffix(4).elementsEqual([-1.13370764, 1.55677986, 1.90611196, -0.26541179]))
  }

  /// Every bit of every draw, over seeds at the edges of 64 bits and counts on both sides of each path's border.
  @Test func matchesTorchBitForBit() throws {
    let golden = try JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: ProjectFiles.fixtures.appending(path: "random/randn.json")))
    for test in golden.cases {
      var generator = TorchGenerator(seed: test.seed)
      for (index, draw) in test.draws.enumerated() {
        let expected = try #require(draw.floats)
        let drawn = generator.randn(count: draw.count)
        try #require(drawn.count == expected.count)
        let different = zip(drawn, expected).enumerated().filter { $1.0.bitPattern != $1.1.bitPattern }
        #expect(
          different.isEmpty,
          "seed \(test.seed), draw \(index): \(different.count) of \(draw.count) differ, first \(different[0])")
      }
    }
  }

  @Test func onlyTheLowHalfOfTheSeedCounts() {
    var small = TorchGenerator(seed: 42)
    var large = TorchGenerator(seed: (Int64(1) << 32) + 42)
    var unsigned = TorchGenerator(seed: (UInt64(1) << 63) + 42)
    let expected = small.randn(count: 40)
    #expect(large.randn(count: 40) == expected)
    #expect(unsigned.randn(count: 40) == expected)
  }

  /// Three values and then one are the same four that one call draws: the fourth waits in the generator.
  @Test func smallDrawsShareTheirPairs() {
    var whole = TorchGenerator(seed: 0)
    var parts = TorchGenerator(seed: 0)
    let three = parts.randn(count: 3)
    #expect(three + parts.randn(count: 1) == whole.randn(count: 4))
  }

  @Test func nothingDrawnChangesNothing() {
    var generator = TorchGenerator(seed: 9)
    #expect(generator.randn(count: 0).isEmpty)
    var fresh = TorchGenerator(seed: 9)
    #expect(generator.randn(count: 16) == fresh.randn(count: 16))
  }
}

private struct Golden: Decodable {
  struct Case: Decodable {
    let seed: Int64
    let draws: [Draw]
  }
  struct Draw: Decodable {
    let count: Int
    /// Little-endian fp32, base64.
    let values: String

    var floats: [Float]? {
      guard let data = Data(base64Encoded: values) else { return nil }
      return stride(from: 0, to: data.count, by: 4).map { start in
        Float(bitPattern: data[start..<start + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) })
      }
    }
  }
  let cases: [Case]
}
