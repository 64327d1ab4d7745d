/// `tokenizer/tokenizer_config.json` together with `special_tokens_map.json`: which tokens are special, how long a
/// prompt may be, and what fills the rest.
public struct TokenizerConfig: Sendable, Equatable {
  /// One entry of `added_tokens_decoder`.
  public struct AddedToken: Sendable, Equatable {
    /// The text that is matched.
    public let content: String
    /// Whether it is a special token, as start and end of text are.
    public let isSpecial: Bool
    /// Whether it is looked for in the normalised (lower-cased) text.
    public let isNormalized: Bool
    /// Whether white space before and after it is swallowed.
    public let stripsLeft: Bool, stripsRight: Bool
    /// Whether it is matched only as a whole word.
    public let isSingleWord: Bool
  }

  /// As `CLIPTokenizer`; nil when the file does not say.
  public let className: String?
  /// Tokens of a prompt, start and end included; nil when the file says none. Libraries write 1e30 for "no limit",
  /// which is read as none.
  public let modelMaxLength: Int?
  /// Whether text is lower-cased. The fast tokenizers always do.
  public let doLowerCase: Bool
  /// Start of text, end of text, what fills up to the length, and what stands for the unknown.
  public let beginToken: String, endToken: String, padToken: String, unknownToken: String
  /// Those of the four that are looked for in the normalised text, in files that lack ``addedTokens``.
  public let normalizedSpecialTokens: Set<String>
  /// Tokens that are matched before the text is split, by id; nil when the file is older than this list.
  public let addedTokens: [Int: AddedToken]?

  /// Merges the two files as transformers does: a `tokenizer_config.json` that lists `added_tokens_decoder` is
  /// complete; before that list existed, `special_tokens_map.json` overrode it. Missing files give the class's defaults.
  init(config: TokenizerConfigFile?, specialTokens: SpecialTokensMap?) {
    let own = config?.specialTokens
    let map = config?.addedTokens == nil ? specialTokens : nil
    let begin = map?.begin ?? own?.begin
    let end = map?.end ?? own?.end
    let unknown = map?.unknown ?? own?.unknown
    let pad = map?.pad ?? own?.pad
    className = config?.className
    modelMaxLength = config?.modelMaxLength
    doLowerCase = config?.doLowerCase ?? true
    beginToken = begin?.content ?? "<|startoftext|>"
    endToken = end?.content ?? "<|endoftext|>"
    unknownToken = unknown?.content ?? "<|endoftext|>"
    padToken = pad?.content ?? "<|endoftext|>"
    // One text may have several roles, each written its own way; the last of this order decides.
    let roles = [(beginToken, begin), (endToken, end), (unknownToken, unknown), (padToken, pad)]
    normalizedSpecialTokens = roles.reduce(into: []) { tokens, role in
      let (content, token) = role
      if token?.isNormalized == true { tokens.insert(content) } else { tokens.remove(content) }
    }
    addedTokens = config?.addedTokens
  }
}

/// `tokenizer_config.json` alone.
struct TokenizerConfigFile: Decodable {
  let className: String?
  let modelMaxLength: Int?
  let doLowerCase: Bool?
  let specialTokens: SpecialTokensMap
  let addedTokens: [Int: TokenizerConfig.AddedToken]?

  init(from decoder: any Decoder) throws {
    let config = try ConfigReader(decoder)
    className = try config.optional("tokenizer_class")
    let length: Double? = try config.optional("model_max_length")
    modelMaxLength = length.flatMap { $0 < 1e6 ? Int(exactly: $0) : nil }
    if let length, length < 3 || (length < 1e6 && modelMaxLength == nil) {
      throw ConfigProblem(key: "model_max_length", message: "is \(length), expected a whole number from 3")
    }
    doLowerCase = try config.optional("do_lower_case")
    specialTokens = try SpecialTokensMap(from: decoder)
    addedTokens = try config.nested("added_tokens_decoder").map { tokens in
      var byID: [Int: TokenizerConfig.AddedToken] = [:]
      for key in tokens.keys {
        guard let id = Int(key), id >= 0, byID[id] == nil, let token = try tokens.nested(key) else {
          throw ConfigProblem(
            key: "added_tokens_decoder", message: "has the entry \(quoted(key)), expected one per token id")
        }
        let isSpecial = try token.value("special", default: false)
        byID[id] = .init(
          content: try token.required("content"), isSpecial: isSpecial,
          isNormalized: try token.value("normalized", default: !isSpecial),
          stripsLeft: try token.value("lstrip", default: false),
          stripsRight: try token.value("rstrip", default: false),
          isSingleWord: try token.value("single_word", default: false))
      }
      return byID
    }
  }
}

/// `special_tokens_map.json`, and the same four keys of `tokenizer_config.json`.
struct SpecialTokensMap: Decodable {
  let begin: Token?, end: Token?, pad: Token?, unknown: Token?

  init(from decoder: any Decoder) throws {
    let config = try ConfigReader(decoder)
    begin = try config.optional("bos_token")
    end = try config.optional("eos_token")
    pad = try config.optional("pad_token")
    unknown = try config.optional("unk_token")
  }

  /// A token is written as its text, or as an object that holds its text and how it is matched.
  struct Token: Decodable {
    let content: String
    /// A bare text is looked for as it is; an object says otherwise unless it says so.
    let isNormalized: Bool

    init(from decoder: any Decoder) throws {
      if let text = try? decoder.singleValueContainer().decode(String.self) {
        content = text
        isNormalized = false
      } else {
        let token = try ConfigReader(decoder)
        content = try token.required("content")
        isNormalized = try token.value("normalized", default: true)
      }
    }
  }
}
