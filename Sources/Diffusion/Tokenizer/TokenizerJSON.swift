/// The parts of `tokenizer.json`, the single file that newer libraries write, that a CLIP tokenizer needs.
struct TokenizerJSON: Decodable {
  let vocabulary: [String: Int32]
  let merges: [(String, String)]
  let addedTokens: [Int: TokenizerConfig.AddedToken]

  init(from decoder: any Decoder) throws {
    let file = try ConfigReader(decoder)
    guard let model = try file.nested("model") else {
      throw ConfigProblem(key: "model", message: "is missing: this file is not complete")
    }
    try model.only("type", ["BPE"], default: "BPE")
    try model.only("end_of_word_suffix", ["</w>"], default: "")
    vocabulary = try model.required("vocab")
    merges = try model.required("merges", [MergePair].self).map { ($0.left, $0.right) }
    var tokens: [Int: TokenizerConfig.AddedToken] = [:]
    for token in try file.optional("added_tokens", [ListedToken].self) ?? [] { tokens[token.id] = token.token }
    addedTokens = tokens
  }

  /// `["a", "b"]`, or `"a b"` in older files.
  private struct MergePair: Decodable {
    let left: String, right: String

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      let symbols =
        try (try? container.decode([String].self))
        ?? container.decode(String.self).split(separator: " ").map(String.init)
      guard symbols.count == 2 else {
        throw ConfigProblem(key: "model.merges", message: "has an entry that is not two symbols")
      }
      (left, right) = (symbols[0], symbols[1])
    }
  }

  private struct ListedToken: Decodable {
    let id: Int
    let token: TokenizerConfig.AddedToken

    init(from decoder: any Decoder) throws {
      let file = try ConfigReader(decoder)
      let isSpecial = try file.value("special", default: false)
      id = try file.required("id")
      token = .init(
        content: try file.required("content"), isSpecial: isSpecial,
        isNormalized: try file.value("normalized", default: !isSpecial),
        stripsLeft: try file.value("lstrip", default: false), stripsRight: try file.value("rstrip", default: false),
        isSingleWord: try file.value("single_word", default: false))
    }
  }
}
