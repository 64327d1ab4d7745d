import Tensors
import Testing

/// The reference against numbers that do not come from it: small sums done by hand, the others by PyTorch 2 in
/// double precision. A twin that nobody has checked proves nothing.
@Suite struct ReferenceLayerTests {
  private let device = ReferenceDevice()

  private func expect(
    _ tensor: Tensor, _ shape: [Int], _ literal: [Float], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(tensor.shape == shape, sourceLocation: sourceLocation)
    let found = tensor.array
    #expect(found.count == literal.count, sourceLocation: sourceLocation)
    for (index, (x, y)) in zip(found, literal).enumerated() {
      // Nine digits are printed; the reference rounds once.
      #expect(abs(x - y) <= 2e-7 * max(1, abs(y)), "element \(index)", sourceLocation: sourceLocation)
    }
  }

  @Test func linear() throws {
    let x = Tensor([1, 2, -1, 0.5, -2, 3], shape: [2, 3])
    let weights = try device.linearWeights(
      makeParameter([1, 0, 2, -1, 1, 0.5], [2, 3]), bias: makeParameter([0.25, -0.5], [2]))
    expect(try device.linear(x, weights), [2, 2], [-0.75, 0, 6.75, -1.5])
    expect(
      try device.linear(x, weights, activation: .silu), [2, 2], [-0.240615976, 0, 6.74210581, -0.273638286])
    expect(try device.linear(x, weights, activation: .gelu), [2, 2], [-0.169970514, 0, 6.75, -0.100210802])
    expect(
      try device.linear(x, weights, activation: .quickGELU), [2, 2], [-0.163609942, 0, 6.74993083, -0.108337802])
    expect(try device.linear(x, weights, activation: .geglu), [2, 1], [0, -0.676423006])
    // The residual follows the activation.
    expect(
      try device.linear(x, weights, activation: .silu, residual: Tensor([1, 2, 3, 4], shape: [2, 2])), [2, 2],
      [0.759384024, 2, 9.74210581, 3.726361714])
  }

  @Test func convolution() throws {
    let x = Tensor((1...9).map { Float($0) }, shape: [1, 3, 3, 1])
    let two = try device.conv2DWeights(makeParameter([1, 2, 3, 4], [1, 1, 2, 2]), bias: nil)
    expect(try device.conv2D(x, two, Conv2DGeometry(padding: 0)), [1, 2, 2, 1], [37, 47, 67, 77])
    let three = try device.conv2DWeights(makeParameter((1...9).map { Float($0) }, [1, 1, 3, 3]), bias: nil)
    expect(
      try device.conv2D(x, three, Conv2DGeometry(padding: 1)), [1, 3, 3, 1],
      [94, 154, 106, 186, 285, 186, 106, 154, 94])
    let square = Tensor((1...16).map { Float($0) }, shape: [1, 4, 4, 1])
    expect(
      try device.conv2D(square, three, .downsampleBottomRight), [1, 2, 2, 1], [348, 252, 274, 175])
    expect(
      try device.conv2D(x, three, Conv2DGeometry(padding: 1, resizedTo: (6, 6))), [1, 6, 6, 1],
      [
        28, 54, 67, 93, 106, 72, 84, 135, 150, 180, 195, 126, 117, 180, 195, 225, 240, 153, 183, 270, 285, 315, 330,
        207, 216, 315, 330, 360, 375, 234, 112, 156, 163, 177, 184, 108,
      ])
  }

  /// Two channels in and out: weights are `[out, in, kh, kw]`, pictures `[N, H, W, C]`.
  @Test func convolutionOrdersItsChannels() throws {
    let x = Tensor([1, 5, 2, 6, 3, 7, 4, 8], shape: [1, 2, 2, 2])
    let weights = try device.conv2DWeights(
      makeParameter([1, -1, 0.5, 2, 3, -2, 1, 0, 0.5, 1, -1, 2, 1, 1, 0, -3], [2, 2, 2, 2]), bias: nil)
    expect(
      try device.conv2D(x, weights, Conv2DGeometry(padding: 1)), [1, 3, 3, 2],
      [2, -13, 9.5, -15, 7, -2, -5, -9, 18.5, -5.5, 30, 3, -17, 10, 4, 20.5, 28, 10])
  }

  @Test func convolutionAddsBiasAddendAndResidual() throws {
    let weights = try device.conv2DWeights(makeParameter([2, 3], [2, 1, 1, 1]), bias: makeParameter([10, 20], [2]))
    let x = Tensor([1, 2, 3, 4], shape: [2, 1, 2, 1])
    expect(
      try device.conv2D(
        x, weights, Conv2DGeometry(padding: 0), channelAddend: Tensor([100, 200, 300, 400], shape: [2, 2]),
        residual: Tensor([0, 1, 2, 3, 4, 5, 6, 7], shape: [2, 1, 2, 2])),
      [2, 1, 2, 2], [112, 224, 116, 229, 320, 434, 324, 439])
  }

  @Test func groupNorm() throws {
    let x = Tensor([1, 3, 5, 8, 2, 4, 7, 10], shape: [1, 1, 2, 4])
    let (scale, bias) = (Tensor([1, 2, 0.5, -1], shape: [4]), Tensor([0, 1, -1, 0.5], shape: [4]))
    expect(
      try device.groupNorm(x, groups: 2, epsilon: 1e-5, scale: scale, bias: bias, activation: .none), [1, 1, 2, 4],
      [-1.34163542, 1.89442361, -1.69337418, 0.222650329, -0.447211807, 3.68327084, -1.13867484, -0.886748357])
    expect(
      try device.groupNorm(x, groups: 2, epsilon: 1e-5, scale: scale, bias: bias, activation: .silu), [1, 1, 2, 4],
      [-0.278042192, 1.64674494, -0.263036244, 0.123667511, -0.174423288, 3.59294209, -0.276201233, -0.258736595])
  }

  @Test func layerNorm() throws {
    expect(
      try device.layerNorm(
        Tensor([1, 2, 4, -1, 0, 5], shape: [2, 3]), epsilon: 1e-5, scale: Tensor([1, 2, -1], shape: [3]),
        bias: Tensor([0.5, 0, 1], shape: [3])),
      [2, 3], [-0.569041531, -0.534520766, -0.336301914, -0.389000244, -1.01600028, -0.397000383])
  }

  @Test func attention() throws {
    let query = Tensor([1, 0, 0.5, -1, 2, 1, 0, 1, -1, 1, 0.5, 2], shape: [1, 3, 4])
    let key = Tensor([0.5, 1, 1, 0, -1, 2, 0, 1, 1, 1, -2, 0.5], shape: [1, 3, 4])
    let value = Tensor((1...12).map { Float($0) }, shape: [1, 3, 4])
    expect(
      try device.attention(query: query, key: key, value: value, heads: 2, causal: false), [1, 3, 4],
      [
        5.61236971, 6.61236971, 5.09510512, 6.09510512, 6.25715947, 7.25715947, 7.38103929, 8.38103929, 4.84242667,
        5.84242667, 6.74049561, 7.74049561,
      ])
    expect(
      try device.attention(query: query, key: key, value: value, heads: 2, causal: true), [1, 3, 4],
      [1, 2, 3, 4, 1.78228127, 2.78228127, 5.6790462, 6.6790462, 4.84242667, 5.84242667, 6.74049561, 7.74049561])
  }

  @Test func shapes() throws {
    let table = makeParameter([1, 2, 3, 4, 5, 6], [3, 2])
    expect(try device.embedding([[2, 0], [1, 1]], table: table), [2, 2, 2], [5, 6, 1, 2, 3, 4, 3, 4])
    let (a, b) = (Tensor([1, 2, 3, 4], shape: [2, 2]), Tensor([5, 6], shape: [2, 1]))
    expect(try device.concatenate(a, b), [2, 3], [1, 2, 5, 3, 4, 6])
    expect(try device.combine(2, a, -1, a), [2, 2], [1, 2, 3, 4])
    expect(try device.addBroadcast(a, Tensor([10, 20], shape: [2])), [2, 2], [11, 22, 13, 24])
    expect(
      try device.upsampleNearest(Tensor([1, 2, 3, 4], shape: [1, 2, 1, 2]), height: 3, width: 2), [1, 3, 2, 2],
      [1, 2, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4])
    expect(try device.vector(makeParameter([1.5, -2], [2], .bfloat16)), [2], [1.5, -2])
  }

  /// PyTorch's `interpolate(mode: "nearest")` at positions where exact arithmetic would answer one more.
  @Test(arguments: [(2, 82, 41, 0), (2, 94, 47, 0), (3, 123, 41, 0), (3, 123, 82, 1), (3, 141, 94, 1)])
  func nearestSourceFollowsSinglePrecision(source: Int, target: Int, index: Int, expected: Int) throws {
    let x = Tensor((0..<source).map { Float($0) }, shape: [1, source, 1, 1])
    let resized = try device.upsampleNearest(x, height: target, width: 1)
    #expect(resized.array[index] == Float(expected))
  }
}
