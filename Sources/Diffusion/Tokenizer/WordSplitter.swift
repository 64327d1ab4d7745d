/// CLIP's splitting rule: English contractions, runs of letters, single numbers, runs of anything else but space.
///
/// The rule is a regular expression in the reference; it is spelled out here because the classes must be those of
/// ``UnicodeTables``, and because a general matcher is slow on long prompts.
enum WordSplitter {
  /// Calls `body` with each word of a normalised text, as UTF-8, in order.
  static func split(_ text: some RandomAccessCollection<UInt32>, _ body: ([UInt8]) -> Void) {
    let text = Array(text)
    var start = 0
    while start < text.count {
      if UnicodeClasses.isSpace(text[start]) {
        start += 1
        continue
      }
      for length in lengths(in: text, at: start) {
        body(utf8(text[start..<start + length]))
        start += length
      }
    }
  }

  /// Lengths of the words that one match of the rule gives: one, but for the two special tokens.
  private static func lengths(in text: [UInt32], at start: Int) -> [Int] {
    // The rule takes these whole, and a second rule behind it parts them again. They come here only when they are
    // not special tokens of this tokenizer; what matters then is that `|>` does not join what follows.
    if text[start...].starts(with: startOfText) { return [2, startOfText.count - 4, 2] }
    if text[start...].starts(with: endOfText) { return [2, endOfText.count - 4, 2] }
    if let contraction = contractions.first(where: { text[start...].starts(with: $0) }) { return [contraction.count] }
    if UnicodeClasses.isNumber(text[start]) { return [1] }
    if UnicodeClasses.isLetter(text[start]) { return [text[start...].prefix(while: UnicodeClasses.isLetter).count] }
    let other = text[start...].prefix { scalar in
      !UnicodeClasses.isSpace(scalar) && !UnicodeClasses.isLetter(scalar) && !UnicodeClasses.isNumber(scalar)
    }
    return [other.count]
  }

  private static func utf8(_ scalars: ArraySlice<UInt32>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(scalars.count)
    for scalar in scalars {
      guard let value = Unicode.Scalar(scalar) else { preconditionFailure("\(scalar) is not a Unicode scalar") }
      bytes += UTF8.encode(value).map { Array($0) } ?? []
    }
    return bytes
  }

  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map(values)
  private static let startOfText = values("<|startoftext|>")
  private static let endOfText = values("<|endoftext|>")

  private static func values(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }
}
