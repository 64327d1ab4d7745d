/// The three classes of scalars that CLIP's splitting rule knows, from ``UnicodeTables``.
enum UnicodeClasses {
  /// General category L.
  static func isLetter(_ scalar: UInt32) -> Bool {
    scalar < 0x80 ? (0x61...0x7A).contains(scalar | 0x20) : contains(scalar, UnicodeTables.letters)
  }

  /// General category N: digits, but also `½`, `Ⅷ` and `²`.
  static func isNumber(_ scalar: UInt32) -> Bool {
    scalar < 0x80 ? (0x30...0x39).contains(scalar) : contains(scalar, UnicodeTables.numbers)
  }

  /// White_Space.
  static func isSpace(_ scalar: UInt32) -> Bool {
    scalar < 0x80 ? scalar == 0x20 || (0x09...0x0D).contains(scalar) : contains(scalar, UnicodeTables.spaces)
  }

  /// Binary search in pairs of first and last scalar.
  private static func contains(_ scalar: UInt32, _ ranges: [UInt32]) -> Bool {
    var (low, high) = (0, ranges.count / 2)
    while low < high {
      let middle = (low + high) / 2
      if scalar > ranges[2 * middle + 1] { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count / 2 && scalar >= ranges[2 * low]
  }
}
