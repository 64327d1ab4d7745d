/// The tokens that are cut out of a text before it is split into words.
struct AddedTokens: Sendable {
  /// Found in the text as it is written.
  let raw: TokenMatcher
  /// Found in each stretch between the raw ones, after it has been normalised.
  let normalized: TokenMatcher
  private let texts: [Int32: String]

  init(_ tokens: [Token]) {
    raw = TokenMatcher(tokens.filter { !$0.isNormalized }.map { ($0, Self.values($0.text)) })
    normalized = TokenMatcher(
      tokens.filter(\.isNormalized).map { ($0, TextNormalizer.normalize(Self.values($0.text))) })
    texts = Dictionary(tokens.map { ($0.id, $0.text) }) { _, last in last }
  }

  /// What an added token is written as; nil for any other token.
  func text(of id: Int32) -> String? { texts[id] }

  private static func values(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }

  /// One of them.
  struct Token: Sendable, Equatable {
    let id: Int32
    let text: String
    /// Whether it is looked for in the normalised text.
    let isNormalized: Bool
    /// Whether it swallows the white space before and after it.
    var stripsLeft = false, stripsRight = false
  }
}

/// Finds tokens in scalar values: the leftmost, and of those that start together the longest.
struct TokenMatcher: Sendable {
  /// A stretch of the text.
  enum Part {
    case token(Int32)
    case text(ArraySlice<UInt32>)
  }

  private let patterns: [(token: AddedTokens.Token, scalars: [UInt32])]
  private let firstScalars: Set<UInt32>

  init(_ patterns: [(token: AddedTokens.Token, scalars: [UInt32])]) {
    self.patterns = patterns.filter { !$0.scalars.isEmpty }.sorted { $0.scalars.count > $1.scalars.count }
    firstScalars = Set(self.patterns.map { $0.scalars[0] })
  }

  /// Calls `body` with each token and each stretch between tokens that is not empty, in order.
  func split(_ text: [UInt32], _ body: (Part) -> Void) { split(text[...], body) }

  private func split(_ text: ArraySlice<UInt32>, _ body: (Part) -> Void) {
    /// End of what has been handed on, and where to look next.
    var (done, position) = (text.startIndex, text.startIndex)
    while position < text.endIndex {
      guard firstScalars.contains(text[position]),
        let (token, scalars) = patterns.first(where: { text[position...].starts(with: $0.scalars) })
      else {
        position += 1
        continue
      }
      var (start, end) = (position, position + scalars.count)
      position = end
      if token.stripsLeft {
        while start > done, UnicodeClasses.isSpace(text[start - 1]) { start -= 1 }
      }
      if token.stripsRight {
        while end < text.endIndex, UnicodeClasses.isSpace(text[end]) { end += 1 }
      }
      if done < start { body(.text(text[done..<start])) }
      body(.token(token.id))
      done = end
      position = max(position, end)
    }
    if done < text.endIndex { body(.text(text[done...])) }
  }
}
