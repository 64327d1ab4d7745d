import Tensors
import Testing

@Suite struct AttentionTests {
  /// The exponential turns an absolute error of a score into a relative one of its weight, so the errors of a
  /// score's sum count once more: depth and keys together, and twice the usual factor.
  private func compare(_ query: Tensor, _ key: Tensor, _ value: Tensor, heads: Int, causal: Bool = false) throws {
    let depth = query.shape[2] / heads
    try judge(
      "query \(query.shape), key \(key.shape), \(heads) heads, causal \(causal)", depth: depth + key.shape[1], factor: 8
    ) {
      try $0.attention(query: query, key: key, value: value, heads: heads, causal: causal)
    }
  }

  @Test(arguments: [(1, 1), (1, 5), (2, 3), (3, 8), (1, 40)])
  func everyLength(heads: Int, depth: Int) throws {
    var numbers = Numbers(seed: 11)
    for (batch, queries, keys) in [(1, 1, 1), (2, 1, 7), (1, 9, 1), (2, 5, 4), (1, 13, 77), (1, 33, 10)] {
      try compare(
        numbers.tensor([batch, queries, heads * depth], scale: 3), numbers.tensor([batch, keys, heads * depth]),
        numbers.tensor([batch, keys, heads * depth]), heads: heads)
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5, 8, 13, 77])
  func causal(length: Int) throws {
    var numbers = Numbers(seed: 12)
    try compare(
      numbers.tensor([2, length, 12], scale: 4), numbers.tensor([2, length, 12]), numbers.tensor([2, length, 12]),
      heads: 3, causal: true)
  }

  /// Several blocks of the usual size, with a remainder.
  @Test func usualBlocks() throws {
    var numbers = Numbers(seed: 13)
    try compare(
      numbers.tensor([1, 300, 8], scale: 4), numbers.tensor([1, 1100, 8]), numbers.tensor([1, 1100, 8]), heads: 1)
  }

  /// Scores of some thousands: without the running maximum the exponentials would overflow. The keys grow, so
  /// that every block raises the maximum. Scores this large are rounded by 1e-4 and the weights of two close
  /// ones with them, so keys are set apart.
  @Test func largeScores() throws {
    let length = 40
    let query = Tensor([Float](repeating: 1000, count: length), shape: [1, length, 1])
    let key = Tensor((0..<length).map { Float($0) * 0.5 }, shape: [1, length, 1])
    let value = Tensor((0..<length).map { Float($0) }, shape: [1, length, 1])
    try compare(query, key, value, heads: 1)
    let falling = Tensor((0..<length).map { Float(-$0) * 0.5 }, shape: [1, length, 1])
    try compare(query, falling, value, heads: 1)
  }

  /// In integers of 16 bits. Scores and weighted values are sums of products with errors of a step each, a 32,700th of the norms:
  /// 1.3e-5 of the product of two norms, which here are 16 at most, and five times that for the worst of some thousand elements.
  @Test(arguments: [(1, 1), (1, 5), (2, 3), (3, 8), (1, 40), (1, 300)])
  func rounded(heads: Int, depth: Int) throws {
    var numbers = Numbers(seed: 14)
    for (batch, queries, keys) in [(1, 1, 1), (2, 1, 7), (1, 9, 1), (2, 5, 4), (1, 13, 77), (1, 33, 300)] {
      let query = numbers.tensor([batch, queries, heads * depth])
      let (key, value) = (
        numbers.tensor([batch, keys, heads * depth]), numbers.tensor([batch, keys, heads * depth])
      )
      for causal in queries == keys ? [false, true] : [false] {
        try judge(
          "\(queries) queries, \(keys) keys, \(heads) heads of \(depth), causal \(causal)", depth: depth + keys,
          factor: 1000
        ) {
          try $0.attention(query: query, key: key, value: value, heads: heads, causal: causal, .int16)
        }
      }
    }
  }

  /// It is rounded at all, and by no more than its steps: the mean error of a usual head against double precision.
  @Test func roundingIsThatOfSixteenBits() throws {
    var numbers = Numbers(seed: 15)
    let shape = [1, 300, 64]
    let (query, key, value) = (numbers.tensor(shape, scale: 2), numbers.tensor(shape), numbers.tensor(shape))
    func attend(_ device: any Device, _ arithmetic: LayerArithmetic) throws -> [Float] {
      try device.attention(query: query, key: key, value: value, heads: 1, causal: false, arithmetic).array
    }
    let exact = try attend(Trial.reference, .fp32)
    for device in Trial.devices {
      func error(_ arithmetic: LayerArithmetic) throws -> Float {
        let found = try attend(device, arithmetic)
        return zip(found, exact).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
          / exact.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
      }
      let (fp32, int16) = try (error(.fp32), error(.int16))
      #expect(fp32 < 3e-6 && int16 > 10 * fp32 && int16 < 1e-3, "\(fp32), \(int16), \(device.choice.instructionSet)")
    }
  }

  @Test(arguments: [LayerArithmetic.fp32, .int16])
  func notANumberSpoilsItsRowAlone(_ arithmetic: LayerArithmetic) throws {
    var elements = [Float](repeating: 0.5, count: 12)
    elements[7] = .nan
    let query = Tensor(elements, shape: [1, 12, 1])
    let ones = Tensor([Float](repeating: 1, count: 12), shape: [1, 12, 1])
    for device in Trial.devices {
      let result = try device.attention(query: query, key: ones, value: ones, heads: 1, causal: false, arithmetic).array
      for (index, value) in result.enumerated() { #expect(value.isNaN == (index == 7)) }
    }
  }
}
