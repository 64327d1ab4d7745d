internal import Foundation

extension RGBImage {
  /// The picture in another size, stretched to fit: bit for bit what Pillow 13's `resize((width, height), LANCZOS)`
  /// gives.
  ///
  /// One pass per direction, each rounded to bytes; a direction that keeps its size has none. The order matters for the
  /// result, because rounding cuts off what the first pass overshoots. Pillow takes rows first, but columns first where
  /// that leaves much less for the second pass (before version 13 it never did).
  public func resizedLanczos(width newWidth: Int, height newHeight: Int) -> RGBImage {
    precondition(newWidth > 0 && newHeight > 0, "\(newWidth)×\(newHeight) is no picture")
    let columnsFirst = newHeight < height && height - newHeight > 2 * (width - newWidth)
    return columnsFirst
      ? resized(height: newHeight).resized(width: newWidth) : resized(width: newWidth).resized(height: newHeight)
  }

  private func resized(width newWidth: Int) -> RGBImage {
    if newWidth == width { return self }
    let filter = LanczosFilter(from: width, to: newWidth)
    let result = filter.apply(to: bytes, lines: height, lineStride: 3 * width, pixelStride: 3) { line, x in
      3 * (line * newWidth + x)
    }
    return RGBImage(width: newWidth, height: height, bytes: result)
  }

  private func resized(height newHeight: Int) -> RGBImage {
    if newHeight == height { return self }
    let filter = LanczosFilter(from: height, to: newHeight)
    let result = filter.apply(to: bytes, lines: width, lineStride: 3, pixelStride: 3 * width) { line, y in
      3 * (y * width + line)
    }
    return RGBImage(width: width, height: newHeight, bytes: result)
  }
}

/// The weights with which the pixels of one line make those of a line of another length.
private struct LanczosFilter {
  /// For each new pixel: the first old pixel, and the weights of it and its followers in units of 2⁻²².
  private let windows: [(first: Int, weights: [Int])]

  private static let radius = 3.0
  private static let precisionBits = 22

  init(from oldSize: Int, to newSize: Int) {
    let scale = Double(oldSize) / Double(newSize)
    // Shrinking widens the window, so that every old pixel counts; growing leaves it at three pixels a side.
    let filterScale = max(scale, 1)
    let support = Self.radius * filterScale
    windows = (0..<newSize).map { index in
      let center = (Double(index) + 0.5) * scale
      let first = max(Int(center - support + 0.5), 0)
      let end = min(Int(center + support + 0.5), oldSize)
      let weights = (first..<end).map { Self.lanczos((Double($0) - center + 0.5) * (1 / filterScale)) }
      let sum = weights.reduce(0, +)
      return (
        first,
        weights.map { weight in
          let fixed = weight / sum * Double(1 << Self.precisionBits)
          return Int(fixed + (fixed < 0 ? -0.5 : 0.5))
        }
      )
    }
  }

  private static func lanczos(_ x: Double) -> Double {
    -radius <= x && x < radius ? sinc(x) * sinc(x / radius) : 0
  }

  private static func sinc(_ x: Double) -> Double {
    x == 0 ? 1 : sin(x * .pi) / (x * .pi)
  }

  /// Filters each line of RGB pixels. `lineStride` and `pixelStride` lead from one line, or one pixel of a line, to the
  /// next in `source`; `place` says where in the result a line's new pixel goes.
  func apply(
    to source: [UInt8], lines: Int, lineStride: Int, pixelStride: Int, place: (Int, Int) -> Int
  ) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 3 * lines * windows.count)
    for (index, window) in windows.enumerated() {
      for line in 0..<lines {
        let half = 1 << (Self.precisionBits - 1)
        var (red, green, blue) = (half, half, half)
        var position = line * lineStride + window.first * pixelStride
        for weight in window.weights {
          red += weight * Int(source[position])
          green += weight * Int(source[position + 1])
          blue += weight * Int(source[position + 2])
          position += pixelStride
        }
        let target = place(line, index)
        result[target] = UInt8(clamping: red >> Self.precisionBits)
        result[target + 1] = UInt8(clamping: green >> Self.precisionBits)
        result[target + 2] = UInt8(clamping: blue >> Self.precisionBits)
      }
    }
    return result
  }
}
