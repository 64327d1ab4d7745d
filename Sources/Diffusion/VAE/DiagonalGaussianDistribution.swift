internal import Foundation
package import Tensors

/// The encoder's answer: independent normal distributions, one per latent element.
package struct DiagonalGaussianDistribution: Sendable {
  /// `[N, h, w, C]`
  package let mean: Tensor
  /// Natural logarithm of the variance, clamped to −30…20, `[N, h, w, C]`.
  package let logVariance: Tensor

  /// Splits `moments` `[N, h, w, 2C]`: the means' channels, then the log variances'.
  init(moments: Tensor) {
    let shape = Array(moments.shape.dropLast()) + [(moments.shape.last ?? 0) / 2]
    let channels = shape[shape.count - 1]
    var means: [Float] = [], logVariances: [Float] = []
    moments.withElements { elements in
      for index in 0..<moments.count {
        if index % (2 * channels) < channels {
          means.append(elements[index])
        } else {
          // Without the clamp one outlier's exponential would be infinite. Swift's min and max would also turn NaN
          // into a bound and hide it from the pipeline's check.
          let value = elements[index]
          logVariances.append(value < -30 ? -30 : value > 20 ? 20 : value)
        }
      }
    }
    mean = Tensor(means, shape: shape)
    logVariance = Tensor(logVariances, shape: shape)
  }

  /// `mean + exp(logVariance / 2) · noise`, noise of the mean's shape.
  func sample(noise: Tensor) -> Tensor {
    var sample: [Float] = []
    sample.reserveCapacity(mean.count)
    mean.withElements { mean in
      logVariance.withElements { logVariance in
        noise.withElements { noise in
          for index in 0..<mean.count { sample.append(mean[index] + expf(0.5 * logVariance[index]) * noise[index]) }
        }
      }
    }
    return Tensor(sample, shape: mean.shape)
  }
}
