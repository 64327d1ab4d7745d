extension CLIPTokenizer {
  /// Reads a tokenizer's folder: `vocab.json` and `merges.txt`, or `tokenizer.json` where they are missing, and
  /// `tokenizer_config.json` with `special_tokens_map.json` for the special tokens, the padding and the length.
  ///
  /// - Throws: ``CheckpointError`` naming the file and what is wrong in it.
  public init(folder: String) throws {
    let config = try TokenizerConfig(folder: folder)
    let files = try TokenizerFiles(folder: folder)
    func id(of token: String, as role: String) throws -> Int32 {
      if let id = files.vocabulary[token] { return id }
      if let (id, _) = config.addedTokens?.first(where: { $1.content == token }) { return Int32(clamping: id) }
      throw CheckpointError(
        .invalidConfig, path: files.path, "the vocabulary has no token “\(token)”, which is the \(role)")
    }
    beginID = try id(of: config.beginToken, as: "bos_token")
    endID = try id(of: config.endToken, as: "eos_token")
    padID = try id(of: config.padToken, as: "pad_token")
    let unknownID = try id(of: config.unknownToken, as: "unk_token")
    maxLength = config.modelMaxLength ?? Self.usualLength
    guard maxLength <= Self.longest else {
      throw CheckpointError(
        .unsupported, path: folder, "model_max_length is \(maxLength); supported: 3 to \(Self.longest)")
    }
    do {
      encoder = try BytePairEncoder(vocabulary: files.vocabulary, merges: files.merges, unknownID: unknownID)
    } catch {
      throw CheckpointError(.invalidConfig, path: files.path, error.message)
    }
    addedTokens = AddedTokens(try Self.addedTokens(config, files, endID: endID, folder: folder))
  }

  /// What a file says that names no length, and more than any CLIP text encoder has positions for.
  private static let usualLength = 77, longest = 4096

  private static func addedTokens(
    _ config: TokenizerConfig, _ files: TokenizerFiles, endID: Int32, folder: String
  ) throws -> [AddedTokens.Token] {
    var tokens: [AddedTokens.Token] = []
    let listed = config.addedTokens ?? files.addedTokens
    for (id, token) in listed.sorted(by: { $0.key < $1.key }) {
      guard !token.isSingleWord else {
        throw CheckpointError(
          .unsupported, path: folder, "the token “\(token.content)” has single_word; supported: only false")
      }
      tokens.append(
        .init(
          id: files.vocabulary[token.content] ?? Int32(clamping: id), text: token.content,
          isNormalized: token.isNormalized, stripsLeft: token.stripsLeft, stripsRight: token.stripsRight))
    }
    // Special tokens count as added whether they are listed or not.
    for text in [config.beginToken, config.endToken, config.unknownToken, config.padToken]
    where !tokens.contains(where: { $0.text == text }) {
      let isNormalized = config.normalizedSpecialTokens.contains(text)
      tokens.append(.init(id: files.vocabulary[text] ?? endID, text: text, isNormalized: isNormalized))
    }
    return tokens
  }
}
