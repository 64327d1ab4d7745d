package import Tensors

extension Tensor {
  /// A map from elements in channels-first order (NCHW), the order in which PyTorch draws noise.
  ///
  /// - Parameter shape: of the result: `[N, H, W, C]`.
  package init(channelsFirst elements: [Float], shape: [Int]) {
    let (pixels, channels) = (shape[1] * shape[2], shape[3])
    var result = [Float](repeating: 0, count: elements.count)
    for picture in 0..<shape[0] {
      let base = picture * pixels * channels
      for channel in 0..<channels {
        for pixel in 0..<pixels {
          result[base + pixel * channels + channel] = elements[base + channel * pixels + pixel]
        }
      }
    }
    self.init(result, shape: shape)
  }

  /// The elements of a map `[N, H, W, C]` in channels-first order (NCHW).
  package var channelsFirst: [Float] {
    let (pixels, channels) = (shape[1] * shape[2], shape[3])
    var result = [Float](repeating: 0, count: count)
    withElements { elements in
      for picture in 0..<shape[0] {
        let base = picture * pixels * channels
        for pixel in 0..<pixels {
          for channel in 0..<channels {
            result[base + channel * pixels + pixel] = elements[base + pixel * channels + channel]
          }
        }
      }
    }
    return result
  }

  /// Each element through `transform`.
  func mapElements(_ transform: (Float) -> Float) -> Tensor { Tensor(array.map(transform), shape: shape) }
}
