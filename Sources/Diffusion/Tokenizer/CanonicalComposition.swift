/// Normalisation form C (Unicode Standard Annex 15), with the tables of the reference tokenizer.
///
/// The runtime's own normalisation is not used: its tables are newer than the reference's and change with the
/// toolchain, and Foundation's on Linux takes the low 16 bits of a scalar for the whole (U+10041 and a grave accent
/// become `À`).
enum CanonicalComposition {
  /// Composes scalar values.
  static func compose(_ scalars: [UInt32]) -> [UInt32] {
    // Below U+0300 everything is composed already and nothing combines.
    if scalars.allSatisfy({ $0 < 0x300 }) { return scalars }
    var decomposed: [UInt32] = []
    decomposed.reserveCapacity(scalars.count)
    for scalar in scalars { appendDecomposition(scalar, to: &decomposed) }
    reorder(&decomposed)
    return recompose(decomposed)
  }

  // MARK: Decomposition

  private static func appendDecomposition(_ scalar: UInt32, to result: inout [UInt32]) {
    if scalar < 0xC0 {
      result.append(scalar)
    } else if Hangul.syllables.contains(scalar) {
      let index = scalar - Hangul.syllables.lowerBound
      result.append(Hangul.leading + index / Hangul.perLeading)
      result.append(Hangul.vowel + index % Hangul.perLeading / Hangul.trailingCount)
      let trailing = index % Hangul.trailingCount
      if trailing > 0 { result.append(Hangul.trailing + trailing) }
    } else if let range = decompositions[scalar] {
      result += UnicodeTables.decompositions[range]
    } else {
      result.append(scalar)
    }
  }

  /// Sorts each run of combining marks by class; marks of one class keep their order.
  private static func reorder(_ scalars: inout [UInt32]) {
    var start = 0
    while start < scalars.count {
      guard combiningClass(scalars[start]) != 0 else {
        start += 1
        continue
      }
      var marks: [(position: Int, combiningClass: UInt32)] = []
      while start + marks.count < scalars.count {
        let mark = combiningClass(scalars[start + marks.count])
        if mark == 0 { break }
        marks.append((start + marks.count, mark))
      }
      let end = start + marks.count
      let sorted = marks.sorted { ($0.combiningClass, $0.position) < ($1.combiningClass, $1.position) }
      scalars.replaceSubrange(start..<end, with: sorted.map { scalars[$0.position] })
      start = end
    }
  }

  // MARK: Composition

  private static func recompose(_ scalars: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(scalars.count)
    /// Where the last starter is, and the class of what was last kept after it.
    var starter: Int?
    var lastClass: UInt32 = 0
    for scalar in scalars {
      let mark = combiningClass(scalar)
      if let position = starter {
        // Blocked by a kept mark in between of the same class or a higher one; a starter (class 0) is by any.
        let isBlocked = position < result.count - 1 && lastClass >= mark
        if !isBlocked, let composed = composition(result[position], scalar) {
          result[position] = composed
          continue
        }
      }
      if mark == 0 { starter = result.count }
      lastClass = mark
      result.append(scalar)
    }
    return result
  }

  private static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if (Hangul.leading..<Hangul.leading + Hangul.leadingCount).contains(first),
      (Hangul.vowel..<Hangul.vowel + Hangul.vowelCount).contains(second)
    {
      let index = (first - Hangul.leading) * Hangul.vowelCount + second - Hangul.vowel
      return Hangul.syllables.lowerBound + index * Hangul.trailingCount
    }
    if Hangul.syllables.contains(first), (first - Hangul.syllables.lowerBound) % Hangul.trailingCount == 0,
      (Hangul.trailing + 1..<Hangul.trailing + Hangul.trailingCount).contains(second)
    {
      return first + second - Hangul.trailing
    }
    return compositions[UInt64(first) << 32 | UInt64(second)]
  }

  // MARK: Tables

  /// 0 for a starter.
  private static func combiningClass(_ scalar: UInt32) -> UInt32 {
    if scalar < 0x300 { return 0 }
    let table = UnicodeTables.combiningClasses
    var (low, high) = (0, table.count / 3)
    while low < high {
      let middle = (low + high) / 2
      if scalar > table[3 * middle + 1] { low = middle + 1 } else { high = middle }
    }
    return low < table.count / 3 && scalar >= table[3 * low] ? table[3 * low + 2] : 0
  }

  /// Where each decomposition lies in its table.
  private static let decompositions: [UInt32: Range<Int>] = {
    var ranges: [UInt32: Range<Int>] = [:]
    var index = 0
    while index < UnicodeTables.decompositions.count {
      let end = index + 2 + Int(UnicodeTables.decompositions[index + 1])
      ranges[UnicodeTables.decompositions[index]] = index + 2..<end
      index = end
    }
    return ranges
  }()

  private static let compositions: [UInt64: UInt32] = {
    let table = UnicodeTables.compositions
    return Dictionary(
      uniqueKeysWithValues: stride(from: 0, to: table.count, by: 3).map { index in
        (UInt64(table[index]) << 32 | UInt64(table[index + 1]), table[index + 2])
      })
  }()

  /// The arithmetic of Hangul syllables (The Unicode Standard, section 3.12).
  private enum Hangul {
    static let syllables: Range<UInt32> = 0xAC00..<0xD7A4
    static let leading: UInt32 = 0x1100, vowel: UInt32 = 0x1161, trailing: UInt32 = 0x11A7
    static let leadingCount: UInt32 = 19, vowelCount: UInt32 = 21, trailingCount: UInt32 = 28
    static let perLeading = vowelCount * trailingCount
  }
}
