package import Tensors

extension Tensor {
  /// A picture as the VAE's encoder reads it: `[1, H, W, 3]` in [−1, 1].
  package init(_ pixels: RGBPixels) {
    self.init(pixels.bytes.map { 2 * (Float($0) / 255) - 1 }, shape: [1, pixels.height, pixels.width, 3])
  }
}

extension RGBPixels {
  /// A picture from what the VAE's decoder makes of one: `[1, H, W, 3]`, about [−1, 1].
  ///
  /// Halves round to even, as numpy rounds them. Truncating instead, as some implementations do, darkens half of all
  /// pixels by one level.
  package init(_ decoded: Tensor) {
    let bytes = decoded.withElements { elements in
      (0..<decoded.count).map { index in
        let unit = min(max(elements[index] * 0.5 + 0.5, 0), 1)
        return UInt8((unit * 255).rounded(.toNearestOrEven))
      }
    }
    self.init(width: decoded.shape[2], height: decoded.shape[1], bytes: bytes)
  }
}
