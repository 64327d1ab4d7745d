import Images

/// A colour, or the mean of many, in levels of 0 … 255.
struct Colour: CustomStringConvertible {
  let red, green, blue: Double
  var brightness: Double { (red + green + blue) / 3 }
  var description: String { "(\(Int(red)), \(Int(green)), \(Int(blue)))" }
}

extension RGBImage {
  /// The mean colour of a part of the picture, given in fractions of its height and width.
  func mean(rows: Range<Double> = 0..<1, columns: Range<Double> = 0..<1) -> Colour {
    var sums = [0.0, 0.0, 0.0]
    var count = 0.0
    forEachPixel(rows: rows, columns: columns) { colour in
      sums[0] += colour.red
      sums[1] += colour.green
      sums[2] += colour.blue
      count += 1
    }
    return Colour(red: sums[0] / count, green: sums[1] / count, blue: sums[2] / count)
  }

  /// Which part of the pixels are as `condition` says, 0 … 1.
  func share(
    rows: Range<Double> = 0..<1, columns: Range<Double> = 0..<1, where condition: (Colour) -> Bool
  ) -> Double {
    var hits = 0.0
    var count = 0.0
    forEachPixel(rows: rows, columns: columns) { colour in
      if condition(colour) { hits += 1 }
      count += 1
    }
    return hits / count
  }

  private func forEachPixel(rows: Range<Double>, columns: Range<Double>, _ visit: (Colour) -> Void) {
    for y in Int(rows.lowerBound * Double(height))..<Int(rows.upperBound * Double(height)) {
      for x in Int(columns.lowerBound * Double(width))..<Int(columns.upperBound * Double(width)) {
        let first = 3 * (y * width + x)
        visit(Colour(red: Double(bytes[first]), green: Double(bytes[first + 1]), blue: Double(bytes[first + 2])))
      }
    }
  }
}
