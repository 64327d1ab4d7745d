/// What CLIP does to a text before splitting it: canonical composition, white space to single spaces, lower case.
enum TextNormalizer {
  /// Normalises scalar values.
  static func normalize(_ scalars: some Sequence<UInt32>) -> [UInt32] {
    var result: [UInt32] = []
    var previousIsSpace = false
    for scalar in CanonicalComposition.compose(Array(scalars)) {
      if UnicodeClasses.isSpace(scalar) {
        if !previousIsSpace { result.append(0x20) }
        previousIsSpace = true
      } else {
        previousIsSpace = false
        appendLowercase(scalar, to: &result)
      }
    }
    return result
  }

  /// Each scalar by itself: a capital sigma at the end of a word becomes `σ`, not `ς`, and `İ` two scalars.
  private static func appendLowercase(_ scalar: UInt32, to result: inout [UInt32]) {
    if scalar < 0x80 {
      result.append((0x41...0x5A).contains(scalar) ? scalar + 0x20 : scalar)
    } else if let value = Unicode.Scalar(scalar) {
      result += value.properties.lowercaseMapping.unicodeScalars.lazy.map(\.value)
    }
  }
}
