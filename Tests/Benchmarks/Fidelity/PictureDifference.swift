internal import Diffusion
internal import Foundation

/// How far two pictures are apart.
struct PictureDifference {
  /// Peak signal-to-noise ratio over all channels, in decibels; infinite for equal pictures.
  let psnr: Double
  /// Structural similarity (Wang et al. 2004) of the luma, over windows of 8 × 8 pixels at every fourth; 1 for equal pictures.
  let ssim: Double
  /// Largest difference of a channel.
  let worst: Int

  init(_ a: RGBPixels, _ b: RGBPixels) {
    let differences = zip(a.bytes, b.bytes).map { Int($0) - Int($1) }
    worst = differences.map(abs).max() ?? 0
    let squares = differences.reduce(0) { $0 + $1 * $1 }
    psnr = squares == 0 ? .infinity : 10 * log10(255 * 255 * Double(differences.count) / Double(squares))
    let (x, y) = (Self.luma(a), Self.luma(b))
    var (total, windows) = (0.0, 0)
    for top in stride(from: 0, through: a.height - 8, by: 4) {
      for left in stride(from: 0, through: a.width - 8, by: 4) {
        total += Self.similarity(x, y, top: top, left: left, width: a.width)
        windows += 1
      }
    }
    ssim = total / Double(max(windows, 1))
  }

  private static func luma(_ picture: RGBPixels) -> [Double] {
    stride(from: 0, to: picture.bytes.count, by: 3).map {
      let (red, green, blue) = (picture.bytes[$0], picture.bytes[$0 + 1], picture.bytes[$0 + 2])
      let luma: Double = 0.299 * Double(red) + 0.587 * Double(green)
      return luma + 0.114 * Double(blue)
    }
  }

  private static func similarity(_ x: [Double], _ y: [Double], top: Int, left: Int, width: Int) -> Double {
    var (sumX, sumY, sumXX, sumYY, sumXY) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for row in top..<top + 8 {
      for column in left..<left + 8 {
        let (a, b) = (x[row * width + column], y[row * width + column])
        sumX += a
        sumY += b
        sumXX += a * a
        sumYY += b * b
        sumXY += a * b
      }
    }
    let (meanX, meanY) = (sumX / 64, sumY / 64)
    let (varianceX, varianceY) = (sumXX / 64 - meanX * meanX, sumYY / 64 - meanY * meanY)
    let covariance = sumXY / 64 - meanX * meanY
    // The constants of the paper, for 8 bits.
    let (c1, c2) = (6.5025, 58.5225)
    let means: Double = (2 * meanX * meanY + c1) / (meanX * meanX + meanY * meanY + c1)
    let variances: Double = (2 * covariance + c2) / (varianceX + varianceY + c2)
    return means * variances
  }
}
